-- dialer_caller_id_room(p_number, p_most, p_now) -> uses, last_attempt, free_at
-- How much a caller ID was used in the 24 hours up to p_now, by all projects: its calls, and the latest of them; free_at:
-- if it has been used up, when it may be shown again, which is 24 hours after the p_most-th latest call began. p_most:
-- most calls in 24 hours, NULL: no cap. Calls under way count; those that FAILED do not (no channel was ever made),
-- CANCELLED and TECHNICAL ones do if they rang. uses is counted up to p_most, without a cap up to 100: beyond that the
-- order of the latest calls alone is even, and a project that makes 100,000 calls a day does not count them for each
-- one.
CREATE OR REPLACE FUNCTION dialer_caller_id_room(p_number varchar(400), p_most int, p_now datetime(6))
-- A function on MariaDB returns one value: a JSON object with the three as its members.
RETURNS varchar(200)
READS SQL DATA
BEGIN
    DECLARE v_most int DEFAULT coalesce(p_most, 100);
    DECLARE v_uses int;
    DECLARE v_last bigint;
    DECLARE v_first datetime(6);
    SELECT count(*), max(t.id), min(t.begun_at) INTO v_uses, v_last, v_first
    FROM (
        (SELECT a.id, a.begun_at
         FROM dialer_calls a
         WHERE a.caller_id = p_number AND a.begun_at > p_now - INTERVAL 24 HOUR
           AND (a.outcome IS NULL OR a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
                OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
         ORDER BY a.begun_at DESC
         LIMIT v_most)
        UNION ALL
        (SELECT a.id, a.begun_at
         FROM dialer_attempts a
         WHERE a.caller_id = p_number AND a.begun_at > p_now - INTERVAL 24 HOUR
           AND (a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
                OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
         ORDER BY a.begun_at DESC
         LIMIT v_most)
        ORDER BY begun_at DESC
        LIMIT v_most
    ) t;
    RETURN json_object('uses', v_uses, 'last_attempt', v_last,
        'free_at', IF(v_uses >= p_most, v_first + INTERVAL 24 HOUR, NULL));
END
