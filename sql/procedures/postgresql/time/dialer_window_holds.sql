-- dialer_window_holds(p_start, p_stop, p_local) -> bool
-- Is a call window open when the wall clock there shows p_local? p_start and p_stop are local times: start inclusive,
-- stop exclusive; start = stop is the whole day; start later than stop crosses midnight; 24:00 is a day's end as a stop
-- and its beginning as a start. A window that cannot be read is closed; with p_local NULL every window is, except the
-- whole day.
CREATE OR REPLACE FUNCTION dialer_window_holds(p_start varchar, p_stop varchar, p_local timestamp)
RETURNS bool
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_start time := dialer_time(p_start);
    v_stop time := dialer_time(p_stop);
    v_local time := p_local;
BEGIN
    IF v_start = '24:00' THEN
        v_start := '00:00';
    END IF;
    IF v_start = v_stop OR v_start = '00:00' AND v_stop = '24:00' THEN
        RETURN true;
    END IF;
    IF v_start < v_stop THEN
        RETURN coalesce(v_local >= v_start AND v_local < v_stop, false);
    END IF;
    RETURN coalesce(v_start > v_stop AND (v_local >= v_start OR v_local < v_stop), false);
END
$$
