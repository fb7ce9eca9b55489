-- dialer_open_at(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, p_at) -> instant
-- The first instant from p_at on at which hours permit a call (dialer_opening); NULL if none does within 15 days.
CREATE OR REPLACE FUNCTION dialer_open_at(
    p_project varchar(400),
    p_utc varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_zones varchar(1000),
    p_region varchar(40),
    p_number_region varchar(40),
    p_at datetime(6)
)
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_zone varchar(1000);
    DECLARE v_any tinyint(1);
    DECLARE v_at datetime(6) DEFAULT p_at;
    DECLARE v_opening varchar(2000);
    IF dialer_time(p_start) IS NULL OR dialer_time(p_stop) IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT count(*) > 0 INTO v_any FROM (SELECT 1 FROM dialer_hours LIMIT 1) h;
    IF NOT v_any THEN
        SET v_zone = dialer_zone_of(p_project, p_utc, p_zones);
        IF NOT locate('&', v_zone) THEN
            RETURN dialer_window_next(v_zone, p_start, p_stop, p_at);
        END IF;
    END IF;
    WHILE v_at < p_at + INTERVAL 15 DAY DO
        SET v_opening = dialer_opening(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, v_at);
        IF json_value(v_opening, '$.is_open') THEN
            RETURN v_at;
        END IF;
        SET v_at = json_value(v_opening, '$.changes_at');
    END WHILE;
    RETURN NULL;
END
