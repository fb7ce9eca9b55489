-- dialer_backoff(p_first, p_failures, p_most) -> seconds
-- How long to wait after a failure before the next try: p_first seconds, twice as long for each failure in a row before
-- this one, p_most at most.
CREATE OR REPLACE FUNCTION dialer_backoff(p_first int, p_failures int, p_most int)
RETURNS int
DETERMINISTIC NO SQL
RETURN least(p_most, p_first * pow(2, least(p_failures, 20)))
