-- dialer_period_next(p_zone, p_period, p_at) -> instant, NULL if p_zone is not a zone
-- When the next local day, week (from Monday) or month after p_at begins in p_zone (dialer_period_start).
CREATE OR REPLACE FUNCTION dialer_period_next(p_zone varchar, p_period varchar, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_local timestamp := dialer_local(p_zone, p_at);
    v_first timestamp := date_trunc(p_period, v_local) + ('1 ' || p_period)::interval;
BEGIN
    RETURN dialer_window_next(p_zone, '00:00', '12:00', greatest(
        p_at + (v_first - interval '6 hours' - v_local),
        -- Not in the day's own first half, where that window is open.
        dialer_window_next(p_zone, '12:00', '24:00', p_at)));
END
$$
