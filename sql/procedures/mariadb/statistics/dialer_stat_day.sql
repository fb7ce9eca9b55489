-- dialer_stat_day: ended attempts per project and day (of the session's time zone).
-- Rates as in dialer_stat_project.
CREATE OR REPLACE VIEW dialer_stat_day AS
SELECT
    project_id,
    timestamp(date(ended_at)) AS day_at,
    count(*) AS attempts,
    count(DISTINCT case_id) AS cases,
    count(CASE WHEN answered_at IS NOT NULL THEN 1 END) AS answered,
    count(CASE WHEN counts_as = 'connected' THEN 1 END) AS connected,
    count(CASE WHEN counts_as = 'abandoned' THEN 1 END) AS abandoned,
    CAST(count(CASE WHEN counts_as = 'abandoned' THEN 1 END) AS decimal(20, 10))
        / nullif(count(CASE WHEN counts_as IN ('connected', 'abandoned') THEN 1 END), 0) AS abandon_rate,
    CAST(count(CASE WHEN answered_at IS NOT NULL THEN 1 END) AS decimal(20, 10)) / nullif(count(*), 0) AS answer_rate,
    avg(ring_seconds) AS ring_seconds,
    avg(wait_seconds) AS wait_seconds,
    avg(talk_seconds) AS talk_seconds,
    count(CASE WHEN outcome = 'LOST' THEN 1 END) AS lost,
    count(CASE WHEN agent_at IS NOT NULL THEN 1 END) AS talked,
    count(CASE WHEN played_at IS NOT NULL AND outcome = 'ANSWERED' THEN 1 END) AS heard
FROM dialer_attempts
GROUP BY project_id, timestamp(date(ended_at))
