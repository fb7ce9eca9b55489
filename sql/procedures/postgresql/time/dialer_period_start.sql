-- dialer_period_start(p_zone, p_period, p_at) -> instant, NULL if p_zone is not a zone
-- When the local day, week (from Monday) or month that holds p_at began in p_zone: the first instant of its first day,
-- also where a clock change skips or repeats midnight.
CREATE OR REPLACE FUNCTION dialer_period_start(p_zone varchar, p_period varchar, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_local timestamp := dialer_local(p_zone, p_at);
BEGIN
    -- From the evening before: the clock may change by an hour or two in between, and is still before midnight.
    RETURN dialer_window_next(p_zone, '00:00', '12:00',
        p_at - (v_local - (date_trunc(p_period, v_local) - interval '6 hours')));
END
$$
