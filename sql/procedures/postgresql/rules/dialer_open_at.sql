-- dialer_open_at(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, p_at) -> instant
-- The first instant from p_at on at which hours permit a call (dialer_opening); NULL if none does within 15 days.
CREATE OR REPLACE FUNCTION dialer_open_at(
    p_project varchar,
    p_utc varchar,
    p_start varchar,
    p_stop varchar,
    p_zones varchar,
    p_region varchar,
    p_number_region varchar,
    p_at timestamptz
)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_zone varchar;
    v_at timestamptz := p_at;
    v_opening record;
BEGIN
    IF dialer_time(p_start) IS NULL OR dialer_time(p_stop) IS NULL THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM dialer_hours) THEN
        v_zone := dialer_zone_of(p_project, p_utc, p_zones);
        IF strpos(v_zone, '&') = 0 THEN
            RETURN dialer_window_next(v_zone, p_start, p_stop, p_at);
        END IF;
    END IF;
    WHILE v_at < p_at + interval '15 days' LOOP
        SELECT * INTO v_opening
        FROM dialer_opening(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, v_at);
        IF v_opening.is_open THEN
            RETURN v_at;
        END IF;
        v_at := v_opening.changes_at;
    END LOOP;
    RETURN NULL;
END
$$
