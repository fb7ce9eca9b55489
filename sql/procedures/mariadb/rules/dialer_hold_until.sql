-- dialer_hold_until(p_reason, p_case, p_at) -> instant, NULL: nobody knows
-- When a reason that holds a case (dialer_holds) ends by itself. A function, since this server asks a nullif() or a CASE
-- for its value twice.
CREATE OR REPLACE FUNCTION dialer_hold_until(p_reason varchar(40), p_case bigint, p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_until datetime(6) DEFAULT CASE p_reason
        WHEN 'do_not_call' THEN dialer_dnc_until(p_case, p_at)
        WHEN 'number_limit' THEN dialer_limits_until(p_case, p_at)
        WHEN 'number_pause' THEN dialer_pause_until(p_case, p_at)
    END;
    RETURN IF(v_until < '9999-12-31 00:00:00', v_until, NULL);
END
