-- dialer_stat_project: one row per project: its state, what is up now, and the last 24 hours.
-- answer_rate: answered / attempts; abandon_rate: abandoned / (connected + abandoned), people only (counts_as of
-- dialer_attempts); connected: people who had an agent in time (a call with a late agent counts as abandoned); talked:
-- calls that an agent had; heard: messages played to the end; lost: attempts whose end nobody knows, not part of the
-- rate. cases_waiting is counted every few seconds (counted_at), since a count reads every waiting case.
CREATE OR REPLACE VIEW dialer_stat_project AS
SELECT
    s.project_id, s.type, s.wanted, s.state, s.reason, s.since_at, s.until_at,
    s.cases_waiting, s.counted_at, s.claimed, s.calls_up,
    coalesce(n.ringing, 0) AS ringing, coalesce(n.waiting, 0) AS waiting, coalesce(n.talking, 0) AS talking,
    coalesce(g.agents_free, 0) AS agents_free, coalesce(g.agents_talking, 0) AS agents_talking,
    coalesce(g.agents_paused, 0) AS agents_paused, coalesce(g.agents, 0) AS agents,
    coalesce(d.attempts, 0) AS attempts, coalesce(d.cases, 0) AS cases, coalesce(d.answered, 0) AS answered,
    coalesce(d.connected, 0) AS connected, coalesce(d.abandoned, 0) AS abandoned, d.abandon_rate, d.answer_rate,
    d.ring_seconds, d.wait_seconds, d.talk_seconds, coalesce(d.lost, 0) AS lost, coalesce(d.talked, 0) AS talked,
    coalesce(d.heard, 0) AS heard
FROM dialer_project_states s
LEFT JOIN dialer_rules r ON r.project_id = s.project_id
-- MariaDB has no LATERAL, so each of these is computed for all projects and joined.
LEFT JOIN (
    SELECT
        l.project_id,
        count(CASE WHEN a.answered_at IS NULL THEN 1 END) AS ringing,
        count(CASE WHEN a.answered_at IS NOT NULL AND a.agent_at IS NULL THEN 1 END) AS waiting,
        count(CASE WHEN a.agent_at IS NOT NULL THEN 1 END) AS talking
    FROM dialer_live l
    JOIN dialer_calls a ON a.id = l.attempt_id
    GROUP BY l.project_id
) n ON n.project_id = s.project_id
LEFT JOIN (
    SELECT
        m.asterisk, lower(m.queue) AS queue,
        count(CASE WHEN m.state = 'free' THEN 1 END) AS agents_free,
        count(CASE WHEN m.state = 'talking' THEN 1 END) AS agents_talking,
        count(CASE WHEN m.state = 'paused' THEN 1 END) AS agents_paused,
        count(CASE WHEN m.state <> 'unavailable' THEN 1 END) AS agents
    FROM dialer_agents m
    GROUP BY m.asterisk, lower(m.queue)
) g ON g.asterisk = r.asterisk AND g.queue = lower(r.queue)
LEFT JOIN (
    SELECT
        project_id,
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
    WHERE ended_at > dialer_now() - INTERVAL 24 HOUR
    GROUP BY project_id
) d ON d.project_id = s.project_id
