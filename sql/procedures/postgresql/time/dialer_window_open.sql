-- dialer_window_open(p_zone, p_start, p_stop, p_at) -> bool
-- Is the call window open at p_at? p_start and p_stop are local times in p_zone: start inclusive, stop
-- exclusive; start = stop is the whole day; start later than stop crosses midnight; 24:00 is a day's end as a
-- stop and its beginning as a start. A window that cannot be read, or whose zone nobody knows, is closed.
CREATE OR REPLACE FUNCTION dialer_window_open(
    p_zone varchar,
    p_start varchar,
    p_stop varchar,
    p_at timestamptz
)
RETURNS bool
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_start time := CASE dialer_time(p_start) WHEN '24:00' THEN '00:00' ELSE dialer_time(p_start) END;
    v_stop time := dialer_time(p_stop);
    v_local time;
BEGIN
    IF v_start = v_stop THEN
        RETURN true;
    END IF;
    v_local := dialer_local(p_zone, p_at)::time;
    IF v_start < v_stop THEN
        RETURN coalesce(v_local >= v_start AND v_local < v_stop, false);
    END IF;
    RETURN coalesce(v_start > v_stop AND (v_local >= v_start OR v_local < v_stop), false);
END
$$
