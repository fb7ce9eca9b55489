-- dialer_stat_caller_id: one row per caller ID: each number in dialer_caller_ids, and each that calls of the last 24
-- hours showed. calls: the attempts of those hours that count (dialer_caller_id_room), of all projects; answered: those
-- that a person or a machine answered; answer_rate: answered / calls that have ended, 0 to 1; most_per_day: the least
-- of its rows, NULL: no cap; last_at: the latest call; free_at: if it is used up, when it may be shown again.
CREATE OR REPLACE VIEW dialer_stat_caller_id AS
WITH calls AS MATERIALIZED (
    SELECT
        a.caller_id,
        count(*) AS calls,
        count(a.ended_at) AS ended,
        count(a.answered_at) AS answered,
        count(a.answered_at) FILTER (WHERE a.ended_at IS NOT NULL) AS ended_answered,
        max(a.begun_at) AS last_at
    FROM dialer_stat_attempt a
    WHERE a.caller_id IS NOT NULL AND a.begun_at > dialer_now() - interval '24 hours'
      AND (a.outcome IS NULL OR a.outcome NOT IN ('FAILED', 'CANCELLED', 'TECHNICAL')
           OR (a.outcome <> 'FAILED' AND coalesce(a.ringing_at, a.answered_at) IS NOT NULL))
    GROUP BY a.caller_id
), caps AS (
    SELECT i.number, min(i.most_per_day) AS most_per_day FROM dialer_caller_ids i GROUP BY i.number
)
SELECT
    coalesce(p.number, s.caller_id)::varchar AS caller_id,
    coalesce(s.calls, 0) AS calls,
    coalesce(s.answered, 0) AS answered,
    s.ended_answered::numeric / nullif(s.ended, 0) AS answer_rate,
    p.most_per_day,
    s.last_at,
    m.free_at
FROM caps p
FULL JOIN calls s ON s.caller_id = p.number
LEFT JOIN LATERAL dialer_caller_id_room(p.number, p.most_per_day, dialer_now()) m ON true
