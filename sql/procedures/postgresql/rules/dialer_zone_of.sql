-- dialer_zone_of(p_project, p_utc, p_zones) -> zone, or several joined by &
-- By which clock the hours of a case go: its utc; else, where the project's zone_by is number, the zones of its number;
-- else the project's zone; else the zones of its number; else server_zone of dialer_settings.
CREATE OR REPLACE FUNCTION dialer_zone_of(p_project varchar, p_utc varchar, p_zones varchar)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_utc <> '' THEN
        RETURN p_utc;
    END IF;
    RETURN coalesce(
        (SELECT CASE WHEN p.zone_by = 'number' THEN coalesce(p_zones, p.zone) ELSE p.zone END
         FROM dialer_params p WHERE p.project_id = p_project),
        p_zones,
        dialer_setting('server_zone'));
END
$$
