-- dialer_project_gate: one row per project of dialer_params: which reason speaks against calling any of its cases at
-- dialer_now(). What is the same for all of them is computed here, once. reason, until_at, detail: a reason that ranks
-- before a case's own (no_worker, asterisk_down, project_stopped, project_failing), NULL: none. further_reason,
-- further_until_at, further_detail: one that ranks after it (no_agent, no_line, caller_id_limit, pacing).
-- is_guaranteed: an agent is guaranteed for one more call, as fewer calls are up than agents are free.
CREATE OR REPLACE VIEW dialer_project_gate AS
SELECT
    r.project_id,
    gate.reason::varchar AS reason,
    CASE WHEN gate.reason <> 'project_stopped' THEN s.until_at END AS until_at,
    CASE
        WHEN gate.reason = 'project_stopped' THEN 'start it with GET /?action=start&projectid=' || r.project_id
        WHEN gate.reason IS NOT NULL THEN s.obstacle_reason
    END::varchar AS detail,
    further.reason::varchar AS further_reason,
    CASE further.reason WHEN 'caller_id_limit' THEN i.until_at WHEN 'pacing' THEN m.retry_at END AS further_until_at,
    CASE further.reason
        WHEN 'no_agent' THEN 'no member of queue ' || r.queue || ' is free'
        WHEN 'no_line' THEN 'all lines of the project or its trunk are in use'
        WHEN 'caller_id_limit' THEN 'every caller ID in dialer_caller_ids that it may show has made its most_per_day calls'
        WHEN 'pacing' THEN 'the calls per second of trunk ' || r.trunk || ' are used up'
    END::varchar AS further_detail,
    r.type <> 'autoinforming' AND n.free > n.waiting AS is_guaranteed
FROM dialer_rules r
JOIN dialer_project_states s ON s.project_id = r.project_id
CROSS JOIN LATERAL (
    SELECT
        (SELECT count(*) FROM dialer_agents g
         WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') AS free,
        (SELECT count(*) FROM dialer_calls a
         WHERE a.asterisk = r.asterisk AND a.ended_at IS NULL AND lower(a.queue) = lower(r.queue)
           AND a.agent_at IS NULL) AS waiting
    OFFSET 0
) n
LEFT JOIN LATERAL dialer_trunk_room(r.trunk, s.asterisk, dialer_now()) m ON true
CROSS JOIN LATERAL (SELECT dialer_caller_id_until(r.project_id, dialer_now()) AS until_at OFFSET 0) i
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN s.obstacle IN ('no_worker', 'asterisk_down') THEN s.obstacle
        WHEN s.wanted = 'stop' THEN 'project_stopped'
        WHEN s.obstacle = 'project_failing' THEN s.obstacle
    END AS reason
) gate
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN r.type <> 'autoinforming' AND n.free = 0 THEN 'no_agent'
        WHEN r.lines > 0 AND s.calls_up >= r.lines THEN 'no_line'
        WHEN m.room = 0 AND m.retry_at IS NULL THEN 'no_line'
        WHEN i.until_at IS NOT NULL THEN 'caller_id_limit'
        WHEN m.room = 0 THEN 'pacing'
    END AS reason
) further
