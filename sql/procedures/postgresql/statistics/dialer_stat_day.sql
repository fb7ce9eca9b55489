-- dialer_stat_day: ended attempts per project and day (of the session's time zone).
-- Rates as in dialer_stat_project.
CREATE OR REPLACE VIEW dialer_stat_day AS
SELECT
    project_id,
    date_trunc('day', ended_at) AS day_at,
    count(*) AS attempts,
    count(DISTINCT case_id) AS cases,
    count(*) FILTER (WHERE answered_at IS NOT NULL) AS answered,
    count(*) FILTER (WHERE counts_as = 'connected') AS connected,
    count(*) FILTER (WHERE counts_as = 'abandoned') AS abandoned,
    count(*) FILTER (WHERE counts_as = 'abandoned')::numeric
        / nullif(count(*) FILTER (WHERE counts_as IN ('connected', 'abandoned')), 0) AS abandon_rate,
    count(*) FILTER (WHERE answered_at IS NOT NULL)::numeric / nullif(count(*), 0) AS answer_rate,
    avg(ring_seconds) AS ring_seconds,
    avg(wait_seconds) AS wait_seconds,
    avg(talk_seconds) AS talk_seconds,
    count(*) FILTER (WHERE outcome = 'LOST') AS lost,
    count(*) FILTER (WHERE agent_at IS NOT NULL) AS talked,
    count(*) FILTER (WHERE played_at IS NOT NULL AND outcome = 'ANSWERED') AS heard
FROM dialer_attempts
GROUP BY project_id, date_trunc('day', ended_at)
