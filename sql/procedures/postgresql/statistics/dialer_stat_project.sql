-- dialer_stat_project: one row per project: its state, what is up now, and the last 24 hours.
-- answer_rate: answered / attempts; abandon_rate: abandoned / (connected + abandoned), people only (counts_as of
-- dialer_attempts); connected: people who had an agent in time (a call with a late agent counts as abandoned); talked:
-- calls that an agent had; heard: messages played to the end; lost: attempts whose end nobody knows, not part of the
-- rate. cases_waiting is counted every few seconds (counted_at), since a count reads every waiting case.
CREATE OR REPLACE VIEW dialer_stat_project AS
SELECT
    s.project_id, s.type, s.wanted, s.state, s.reason, s.since_at, s.until_at,
    s.cases_waiting, s.counted_at, s.claimed, s.calls_up,
    n.ringing, n.waiting, n.talking,
    g.agents_free, g.agents_talking, g.agents_paused, g.agents,
    d.attempts, d.cases, d.answered, d.connected, d.abandoned, d.abandon_rate, d.answer_rate,
    d.ring_seconds, d.wait_seconds, d.talk_seconds, d.lost, d.talked, d.heard
FROM dialer_project_states s
LEFT JOIN dialer_rules r ON r.project_id = s.project_id
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE a.answered_at IS NULL) AS ringing,
        count(*) FILTER (WHERE a.answered_at IS NOT NULL AND a.agent_at IS NULL) AS waiting,
        count(*) FILTER (WHERE a.agent_at IS NOT NULL) AS talking
    FROM dialer_live l
    JOIN dialer_calls a ON a.id = l.attempt_id
    WHERE l.project_id = s.project_id
) n
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE m.state = 'free') AS agents_free,
        count(*) FILTER (WHERE m.state = 'talking') AS agents_talking,
        count(*) FILTER (WHERE m.state = 'paused') AS agents_paused,
        count(*) FILTER (WHERE m.state <> 'unavailable') AS agents
    FROM dialer_agents m
    WHERE m.asterisk = r.asterisk AND lower(m.queue) = lower(r.queue)
) g
CROSS JOIN LATERAL (
    SELECT
        count(*) AS attempts,
        count(DISTINCT a.case_id) AS cases,
        count(*) FILTER (WHERE a.answered_at IS NOT NULL) AS answered,
        count(*) FILTER (WHERE a.counts_as = 'connected') AS connected,
        count(*) FILTER (WHERE a.counts_as = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE a.counts_as = 'abandoned')::numeric
            / nullif(count(*) FILTER (WHERE a.counts_as IN ('connected', 'abandoned')), 0) AS abandon_rate,
        count(*) FILTER (WHERE a.answered_at IS NOT NULL)::numeric / nullif(count(*), 0) AS answer_rate,
        avg(a.ring_seconds) AS ring_seconds,
        avg(a.wait_seconds) AS wait_seconds,
        avg(a.talk_seconds) AS talk_seconds,
        count(*) FILTER (WHERE a.outcome = 'LOST') AS lost,
        count(*) FILTER (WHERE a.agent_at IS NOT NULL) AS talked,
        count(*) FILTER (WHERE a.played_at IS NOT NULL AND a.outcome = 'ANSWERED') AS heard
    FROM dialer_attempts a
    WHERE a.project_id = s.project_id AND a.ended_at > dialer_now() - interval '24 hours'
) d
