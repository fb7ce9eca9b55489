-- dialer_stat_key: which keys subscribers pressed, by project and day (of the session's time zone) on which the call
-- ended. calls: calls in which the key was pressed; times: how often. opt_outs: those of the calls in which the
-- subscriber opted out.
CREATE OR REPLACE VIEW dialer_stat_key AS
SELECT
    a.project_id,
    timestamp(date(a.ended_at)) AS day_at,
    substr(a.keys_pressed, s.seq, 1) AS digit,
    count(DISTINCT a.id) AS calls,
    count(*) AS times,
    count(DISTINCT d.attempt_id) AS opt_outs
FROM dialer_attempts a
JOIN seq_1_to_40 s ON s.seq <= char_length(a.keys_pressed)
LEFT JOIN (SELECT DISTINCT o.attempt_id FROM dialer_dnc o WHERE o.attempt_id IS NOT NULL) d ON d.attempt_id = a.id
WHERE a.keys_pressed <> ''
GROUP BY a.project_id, timestamp(date(a.ended_at)), substr(a.keys_pressed, s.seq, 1)
