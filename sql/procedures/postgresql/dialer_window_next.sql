-- dialer_window_next(p_zone, p_start, p_stop, p_at) -> instant
-- When the call window is next open, p_at itself when it is open now. On a day whose clock skips the start,
-- the window opens where the clock lands.
CREATE OR REPLACE FUNCTION dialer_window_next(
    p_zone varchar,
    p_start varchar,
    p_stop varchar,
    p_at timestamptz
)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_local timestamp;
    v_minutes int := dialer_offset(p_zone);
    v_opens timestamptz;
BEGIN
    IF dialer_window_open(p_zone, p_start, p_stop, p_at) THEN
        RETURN p_at;
    END IF;
    v_local := dialer_local(p_zone, p_at);
    FOR v_day IN 0..2 LOOP
        IF v_minutes IS NOT NULL THEN
            v_opens := ((v_local::date + v_day + p_start::time) - v_minutes * interval '1 minute')
                AT TIME ZONE 'UTC';
        ELSE
            v_opens := (v_local::date + v_day + p_start::time) AT TIME ZONE p_zone;
        END IF;
        EXIT WHEN v_opens > p_at;
    END LOOP;
    RETURN v_opens;
END
$$
