-- dialer_period_next(p_zone, p_period, p_at) -> instant, NULL if p_zone is not a zone
-- When the next local day, week (from Monday) or month after p_at begins in p_zone (dialer_period_start).
CREATE OR REPLACE FUNCTION dialer_period_next(p_zone varchar(400), p_period varchar(20), p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_local datetime(6) DEFAULT dialer_local(p_zone, p_at);
    DECLARE v_first date DEFAULT CASE p_period
        WHEN 'day' THEN date(v_local) + INTERVAL 1 DAY
        WHEN 'week' THEN date(v_local) + INTERVAL 7 - weekday(v_local) DAY
        ELSE date(v_local) - INTERVAL dayofmonth(v_local) - 1 DAY + INTERVAL 1 MONTH
    END;
    RETURN dialer_window_next(p_zone, '00:00', '12:00', greatest(
        p_at + INTERVAL timestampdiff(MICROSECOND, v_local, v_first - INTERVAL 6 HOUR) MICROSECOND,
        -- Not in the day's own first half, where that window is open.
        dialer_window_next(p_zone, '12:00', '24:00', p_at)));
END
