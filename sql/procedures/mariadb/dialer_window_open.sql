-- dialer_window_open(p_zone, p_start, p_stop, p_at) -> bool
-- Is the call window open at p_at? p_start and p_stop are local times in p_zone: start inclusive, stop
-- exclusive; start = stop is the whole day; start later than stop crosses midnight; 24:00 is a day's end as a
-- stop and its beginning as a start.
CREATE OR REPLACE FUNCTION dialer_window_open(
    p_zone varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_at datetime(6)
)
RETURNS tinyint(1)
DETERMINISTIC READS SQL DATA
BEGIN
    DECLARE v_start time DEFAULT IF(CAST(p_start AS time) = '24:00:00', '00:00:00', CAST(p_start AS time));
    DECLARE v_stop time DEFAULT CAST(p_stop AS time);
    DECLARE v_local time(6);
    IF v_start = v_stop OR (v_start = '00:00:00' AND v_stop = '24:00:00') THEN
        RETURN true;
    END IF;
    SET v_local = time(dialer_local(p_zone, p_at));
    IF v_start < v_stop THEN
        RETURN v_local >= v_start AND v_local < v_stop;
    END IF;
    RETURN v_local >= v_start OR v_local < v_stop;
END
