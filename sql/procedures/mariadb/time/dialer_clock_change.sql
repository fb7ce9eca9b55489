-- dialer_clock_change(p_zone, p_from, p_to) -> instant, NULL if there is none
-- When the clock in p_zone is changed between p_from and p_to, which are less than a day apart: the first instant after
-- it, to the second.
CREATE OR REPLACE FUNCTION dialer_clock_change(p_zone varchar(400), p_from decimal(20, 6), p_to decimal(20, 6))
RETURNS decimal(20, 6)
READS SQL DATA
BEGIN
    DECLARE v_local datetime(6) DEFAULT dialer_local(p_zone, from_unixtime(p_from));
    DECLARE v_low bigint DEFAULT floor(p_from);
    DECLARE v_high bigint DEFAULT ceiling(p_to);
    DECLARE v_middle bigint;
    IF p_to >= 2147483647
       OR dialer_local(p_zone, from_unixtime(p_to)) = v_local + INTERVAL (p_to - p_from) SECOND THEN
        RETURN NULL;
    END IF;
    WHILE v_high - v_low > 1 DO
        SET v_middle = (v_low + v_high) DIV 2;
        IF dialer_local(p_zone, from_unixtime(v_middle)) = v_local + INTERVAL (v_middle - p_from) SECOND THEN
            SET v_low = v_middle;
        ELSE
            SET v_high = v_middle;
        END IF;
    END WHILE;
    RETURN v_high;
END
