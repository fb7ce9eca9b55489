-- dialer_period_start(p_zone, p_period, p_at) -> instant, NULL if p_zone is not a zone
-- When the local day, week (from Monday) or month that holds p_at began in p_zone: the first instant of its first day,
-- also where a clock change skips or repeats midnight.
CREATE OR REPLACE FUNCTION dialer_period_start(p_zone varchar(400), p_period varchar(20), p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_local datetime(6) DEFAULT dialer_local(p_zone, p_at);
    DECLARE v_first date DEFAULT CASE p_period
        WHEN 'day' THEN date(v_local)
        WHEN 'week' THEN date(v_local) - INTERVAL weekday(v_local) DAY
        ELSE date(v_local) - INTERVAL dayofmonth(v_local) - 1 DAY
    END;
    -- From the evening before: the clock may change by an hour or two in between, and is still before midnight.
    RETURN dialer_window_next(p_zone, '00:00', '12:00',
        p_at - INTERVAL timestampdiff(MICROSECOND, v_first - INTERVAL 6 HOUR, v_local) MICROSECOND);
END
