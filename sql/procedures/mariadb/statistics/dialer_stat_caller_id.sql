-- dialer_stat_caller_id: one row per caller ID: each number in dialer_caller_ids, and each that calls of the last 24
-- hours showed. calls: the attempts of those hours that count (dialer_caller_id_room), of all projects; answered: those
-- that a person or a machine answered; answer_rate: answered / calls that have ended, 0 to 1; most_per_day: the least
-- of its rows, NULL: no cap; last_at: the latest call; free_at: if it is used up, when it may be shown again.
CREATE OR REPLACE VIEW dialer_stat_caller_id AS
SELECT
    n.number AS caller_id,
    coalesce(s.calls, 0) AS calls,
    coalesce(s.answered, 0) AS answered,
    CAST(s.ended_answered AS decimal(20, 10)) / nullif(s.ended, 0) AS answer_rate,
    n.most_per_day,
    s.last_at,
    CAST(json_value(dialer_caller_id_room(n.number, n.most_per_day, dialer_now()), '$.free_at') AS datetime(6)) AS free_at
FROM (
    SELECT u.number, min(u.most_per_day) AS most_per_day
    FROM (
        SELECT i.number, i.most_per_day FROM dialer_caller_ids i
        UNION ALL
        SELECT a.caller_id, NULL FROM dialer_stat_attempt a
        WHERE a.caller_id IS NOT NULL AND a.begun_at > dialer_now() - INTERVAL 24 HOUR
    ) u
    GROUP BY u.number
) n
LEFT JOIN (
    SELECT
        a.caller_id,
        count(*) AS calls,
        count(a.ended_at) AS ended,
        count(a.answered_at) AS answered,
        count(IF(a.ended_at IS NULL, NULL, a.answered_at)) AS ended_answered,
        max(a.begun_at) AS last_at
    FROM dialer_stat_attempt a
    WHERE a.caller_id IS NOT NULL AND a.begun_at > dialer_now() - INTERVAL 24 HOUR
      AND (a.outcome IS NULL OR a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
           OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
    GROUP BY a.caller_id
) s ON s.caller_id = n.number
