-- dialer_stat_outcome: attempts ended in the last 24 hours, per project and outcome.
CREATE OR REPLACE VIEW dialer_stat_outcome AS
SELECT project_id, outcome, count(*) AS attempts, max(ended_at) AS last_at
FROM dialer_attempts
WHERE ended_at > dialer_now() - INTERVAL 24 HOUR
GROUP BY project_id, outcome
