-- dialer_window_open(p_zone, p_start, p_stop, p_at) -> bool
-- Is the call window open at p_at? p_start and p_stop are local times in p_zone: start inclusive, stop
-- exclusive; start = stop is the whole day; start later than stop crosses midnight; 24:00 is a day's end as a
-- stop and its beginning as a start.
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
    v_start time := CASE p_start::time WHEN '24:00' THEN '00:00' ELSE p_start::time END;
    v_stop time := p_stop::time;
    v_local time;
BEGIN
    IF v_start = v_stop THEN
        RETURN true;
    END IF;
    v_local := dialer_local(p_zone, p_at)::time;
    IF v_start < v_stop THEN
        RETURN v_local >= v_start AND v_local < v_stop;
    END IF;
    RETURN v_local >= v_start OR v_local < v_stop;
END
$$
