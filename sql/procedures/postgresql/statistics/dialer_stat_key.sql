-- dialer_stat_key: which keys subscribers pressed, by project and day (of the session's time zone) on which the call
-- ended. calls: calls in which the key was pressed; times: how often. opt_outs: those of the calls in which the
-- subscriber opted out.
CREATE OR REPLACE VIEW dialer_stat_key AS
SELECT
    a.project_id,
    date_trunc('day', a.ended_at) AS day_at,
    k.digit::varchar AS digit,
    count(DISTINCT a.id) AS calls,
    count(*) AS times,
    count(DISTINCT d.attempt_id) AS opt_outs
FROM dialer_attempts a
CROSS JOIN LATERAL regexp_split_to_table(a.keys_pressed, '') k (digit)
LEFT JOIN (SELECT DISTINCT o.attempt_id FROM dialer_dnc o WHERE o.attempt_id IS NOT NULL) d ON d.attempt_id = a.id
WHERE a.keys_pressed <> ''
GROUP BY a.project_id, date_trunc('day', a.ended_at), k.digit
