-- dialer_zone_of(p_project, p_utc, p_zones) -> zone, or several joined by &
-- By which clock the hours of a case go: its utc; else, where the project's zone_by is number, the zones of its number;
-- else the project's zone; else the zones of its number; else server_zone of dialer_settings.
CREATE OR REPLACE FUNCTION dialer_zone_of(p_project varchar(400), p_utc varchar(400), p_zones varchar(1000))
RETURNS varchar(1000)
READS SQL DATA
BEGIN
    IF p_utc <> '' THEN
        RETURN p_utc;
    END IF;
    RETURN coalesce(
        (SELECT IF(p.zone_by = 'number', coalesce(p_zones, p.zone), p.zone)
         FROM dialer_params p WHERE p.project_id = p_project),
        p_zones,
        dialer_setting('server_zone'));
END
