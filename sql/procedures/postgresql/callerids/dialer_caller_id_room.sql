-- dialer_caller_id_room(p_number, p_most, p_now) -> uses, last_attempt, free_at
-- How much a caller ID was used in the 24 hours up to p_now, by all projects: its calls, and the latest of them; free_at:
-- if it has been used up, when it may be shown again, which is 24 hours after the p_most-th latest call began. p_most:
-- most calls in 24 hours, NULL: no cap. Calls under way count; those that FAILED do not (no channel was ever made),
-- CANCELLED and TECHNICAL ones do if they rang. uses is counted up to p_most, without a cap up to 100: beyond that the
-- order of the latest calls alone is even, and a project that makes 100,000 calls a day does not count them for each
-- one.
CREATE OR REPLACE FUNCTION dialer_caller_id_room(p_number varchar, p_most int, p_now timestamptz)
RETURNS TABLE (uses int, last_attempt bigint, free_at timestamptz)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT count(*)::int, max(t.id), CASE WHEN count(*) >= p_most THEN min(t.begun_at) + interval '24 hours' END
    FROM (
        (SELECT a.id, a.begun_at
         FROM dialer_calls a
         WHERE a.caller_id = p_number AND a.begun_at > p_now - interval '24 hours'
           AND (a.outcome IS NULL OR a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
                OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
         ORDER BY a.begun_at DESC
         LIMIT coalesce(p_most, 100))
        UNION ALL
        (SELECT a.id, a.begun_at
         FROM dialer_attempts a
         WHERE a.caller_id = p_number AND a.begun_at > p_now - interval '24 hours'
           AND (a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
                OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
         ORDER BY a.begun_at DESC
         LIMIT coalesce(p_most, 100))
        ORDER BY begun_at DESC
        LIMIT coalesce(p_most, 100)
    ) t
$$
