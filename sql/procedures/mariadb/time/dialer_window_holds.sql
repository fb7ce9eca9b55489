-- dialer_window_holds(p_start, p_stop, p_local) -> bool
-- Is a call window open when the wall clock there shows p_local? p_start and p_stop are local times: start inclusive,
-- stop exclusive; start = stop is the whole day; start later than stop crosses midnight; 24:00 is a day's end as a stop
-- and its beginning as a start. A window that cannot be read is closed; with p_local NULL every window is, except the
-- whole day.
CREATE OR REPLACE FUNCTION dialer_window_holds(p_start varchar(400), p_stop varchar(400), p_local datetime(6))
RETURNS tinyint(1)
DETERMINISTIC NO SQL
BEGIN
    DECLARE v_start time;
    DECLARE v_stop time;
    DECLARE v_local time(6) DEFAULT time(p_local);
    -- Reads both times as dialer_time does, but in one step, since views ask this for each case.
    IF NOT coalesce(concat(p_start, '|', p_stop) REGEXP
        '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\|(?1)\\z', false) THEN
        RETURN false;
    END IF;
    SET v_start = IF(p_start LIKE '24:%', '00:00:00', p_start), v_stop = p_stop;
    IF v_start = v_stop OR (v_start = '00:00:00' AND v_stop = '24:00:00') THEN
        RETURN true;
    END IF;
    IF v_start < v_stop THEN
        RETURN coalesce(v_local >= v_start AND v_local < v_stop, false);
    END IF;
    RETURN coalesce(v_local >= v_start OR v_local < v_stop, false);
END
