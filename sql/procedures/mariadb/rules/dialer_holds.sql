-- dialer_holds(p_reason) -> bool
-- Is a case with this own reason held (held_for)? Those of rules on numbers are, which many cases may have for long.
CREATE OR REPLACE FUNCTION dialer_holds(p_reason varchar(40))
RETURNS tinyint(1)
DETERMINISTIC NO SQL
RETURN coalesce(p_reason IN ('do_not_call', 'number_limit', 'number_pause'), false)
