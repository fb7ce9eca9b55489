-- dialer_why: one row per case that is not used: the first reason why it is not being dialled at dialer_now().
-- reason: no_project, in_call, claimed, no_worker, asterisk_down, project_stopped, project_failing, scheduled,
-- redial, delayed, window_closed, number_in_call, no_agent, no_line, pacing, queued (eligible, others first);
-- A number that was abandoned lately waits where no agent can be guaranteed (autoinforming: delayed), or else until
-- fewer calls are up than agents are free (pacing).
-- until_at: when that changes by itself, where known. One case is a lookup; so there is no rank in it
-- (dialer_next has that).
CREATE OR REPLACE VIEW dialer_why AS
SELECT
    c.id AS case_id,
    c.project_id,
    c.phone_number,
    CASE why.reason WHEN 'protected' THEN 'delayed' WHEN 'agent_not_guaranteed' THEN 'pacing' ELSE why.reason END::varchar
        AS reason,
    CASE
        WHEN why.reason IN ('no_worker', 'asterisk_down', 'project_failing') THEN s.until_at
        WHEN why.reason IN ('scheduled', 'redial') THEN c.deferred_time
        WHEN why.reason = 'delayed' THEN c.not_before_at
        WHEN why.reason IN ('protected', 'agent_not_guaranteed') THEN b.until_at
        WHEN why.reason = 'window_closed' THEN
            dialer_window_next(f.zone, c.allowed_start, c.allowed_stop, f.now)
        WHEN why.reason = 'pacing' THEN
            (SELECT m.retry_at FROM dialer_trunk_room(r.trunk, s.asterisk, f.now) m)
    END AS until_at,
    CASE why.reason
        WHEN 'no_project' THEN 'no row in dialer_params has this project_id'
        WHEN 'in_call' THEN 'attempt ' || l.attempt_id
        WHEN 'claimed' THEN 'by worker ' || l.worker_id || ' since ' || l.claimed_at
        WHEN 'no_worker' THEN s.obstacle_reason
        WHEN 'asterisk_down' THEN s.obstacle_reason
        WHEN 'project_stopped' THEN 'start it with GET /?action=start&projectid=' || c.project_id
        WHEN 'project_failing' THEN s.obstacle_reason
        WHEN 'delayed' THEN CASE
            WHEN b.phone_number IS NULL THEN 'a call could not be made; it is tried again'
            ELSE 'attempt ' || b.attempt_id || ' abandoned this number: it is called when an agent is certain'
        END
        WHEN 'protected' THEN 'attempt ' || b.attempt_id || ' abandoned this number: only projects with agents may call it'
        WHEN 'agent_not_guaranteed' THEN 'attempt ' || b.attempt_id
            || ' abandoned this number: it is called only when fewer calls are up than agents are free'
        WHEN 'window_closed' THEN c.allowed_start || ' to ' || c.allowed_stop || ' in ' || f.zone
        WHEN 'number_in_call' THEN 'case ' || n.case_id || ' of project ' || n.project_id
        WHEN 'no_agent' THEN 'no member of queue ' || r.queue || ' is free'
        WHEN 'no_line' THEN 'all lines of the project or its trunk are in use'
        WHEN 'pacing' THEN 'the calls per second of trunk ' || r.trunk || ' are used up'
        WHEN 'queued' THEN 'eligible; others are first (see dialer_next)'
    END::varchar AS detail
FROM dialer_clients c
LEFT JOIN dialer_rules r ON r.project_id = c.project_id
LEFT JOIN dialer_project_states s ON s.project_id = c.project_id
-- Not the claim of another case that had this id before.
LEFT JOIN dialer_claims l ON l.case_id = c.id AND l.case_inserted_at = c.inserted_at
LEFT JOIN dialer_live n ON n.phone_number = c.phone_number
LEFT JOIN dialer_abandoned b ON b.phone_number = c.phone_number AND b.until_at > dialer_now()
CROSS JOIN LATERAL (
    SELECT coalesce(nullif(c.utc, ''), r.zone) AS zone, dialer_now() AS now
) f
-- OFFSET 0: found once per case, not once for each column that depends on it.
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN r.project_id IS NULL THEN 'no_project'
        WHEN l.attempt_id IS NOT NULL THEN 'in_call'
        WHEN l.case_id IS NOT NULL THEN 'claimed'
        WHEN s.obstacle IN ('no_worker', 'asterisk_down') THEN s.obstacle
        WHEN s.wanted = 'stop' THEN 'project_stopped'
        WHEN s.obstacle = 'project_failing' THEN s.obstacle
        WHEN c.deferred_time > f.now AND NOT c.deferred_done THEN c.deferred_kind
        WHEN b.phone_number IS NOT NULL AND r.type = 'autoinforming' THEN 'protected'
        WHEN c.not_before_at > f.now THEN 'delayed'
        WHEN NOT dialer_window_open(f.zone, c.allowed_start, c.allowed_stop, f.now) THEN 'window_closed'
        WHEN n.phone_number IS NOT NULL THEN 'number_in_call'
        WHEN r.type <> 'autoinforming' AND NOT EXISTS (
            SELECT FROM dialer_agents g
            WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') THEN 'no_agent'
        WHEN r.lines > 0 AND s.calls_up >= r.lines THEN 'no_line'
        WHEN EXISTS (
            SELECT FROM dialer_trunk_room(r.trunk, s.asterisk, f.now) m
            WHERE m.room = 0 AND m.retry_at IS NULL) THEN 'no_line'
        WHEN EXISTS (
            SELECT FROM dialer_trunk_room(r.trunk, s.asterisk, f.now) m WHERE m.room = 0) THEN 'pacing'
        WHEN b.phone_number IS NOT NULL AND (
            SELECT count(*) FROM dialer_agents g
            WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') <= (
            SELECT count(*) FROM dialer_calls a
            WHERE a.asterisk = r.asterisk AND a.ended_at IS NULL AND lower(a.queue) = lower(r.queue) AND a.agent_at IS NULL)
            THEN 'agent_not_guaranteed'
        ELSE 'queued'
    END AS reason
    OFFSET 0
) why
WHERE NOT c.used
