-- dialer_window_next(p_zone, p_start, p_stop, p_at) -> instant
-- When the call window is next open: p_at itself if it is open then; NULL if it never is (dialer_window_open). If the
-- clock is put forward past the start, the window opens when the clock has jumped; if it is put back, the window opens
-- at each of the two starts.
CREATE OR REPLACE FUNCTION dialer_window_next(
    p_zone varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_at datetime(6)
)
RETURNS datetime(6)
DETERMINISTIC READS SQL DATA
BEGIN
    DECLARE v_start time DEFAULT IF(dialer_time(p_start) = '24:00:00', '00:00:00', dialer_time(p_start));
    -- Instants are seconds since 1970, so additions do not depend on clock changes in the session's zone.
    DECLARE v_at decimal(20, 6) DEFAULT unix_timestamp(p_at);
    DECLARE v_local datetime(6);
    DECLARE v_wait decimal(20, 6);
    DECLARE v_low bigint;
    DECLARE v_high bigint;
    DECLARE v_middle bigint;
    DECLARE v_round int DEFAULT 0;
    IF v_start IS NULL OR dialer_time(p_stop) IS NULL THEN
        RETURN NULL;
    END IF;
    -- This server knows no instants beyond 2038 (somebody's "never").
    IF v_at IS NULL OR v_at = 0 OR dialer_window_open(p_zone, p_start, p_stop, p_at) THEN
        RETURN p_at;
    END IF;
    IF dialer_local(p_zone, p_at) IS NULL THEN
        RETURN NULL;
    END IF;
    -- Each round goes to the next start by the wall clock, or only as far as a clock change before it.
    search: WHILE v_round < 10 DO
        SET v_round = v_round + 1;
        SET v_local = dialer_local(p_zone, from_unixtime(v_at));
        SET v_wait = timestampdiff(MICROSECOND, v_local, timestamp(date(v_local), v_start)) / 1000000;
        IF v_wait <= 0 THEN
            SET v_wait = v_wait + 86400;
        END IF;
        IF v_at + v_wait >= 2147483647
           OR dialer_local(p_zone, from_unixtime(v_at + v_wait)) = v_local + INTERVAL v_wait SECOND THEN
            RETURN from_unixtime(v_at + v_wait);
        END IF;
        SET v_low = floor(v_at);
        SET v_high = ceiling(v_at + v_wait);
        WHILE v_high - v_low > 1 DO
            SET v_middle = (v_low + v_high) DIV 2;
            IF dialer_local(p_zone, from_unixtime(v_middle)) = v_local + INTERVAL (v_middle - v_at) SECOND THEN
                SET v_low = v_middle;
            ELSE
                SET v_high = v_middle;
            END IF;
        END WHILE;
        SET v_at = v_high;
        IF dialer_window_open(p_zone, p_start, p_stop, from_unixtime(v_at)) THEN
            LEAVE search;
        END IF;
    END WHILE;
    RETURN from_unixtime(v_at);
END
