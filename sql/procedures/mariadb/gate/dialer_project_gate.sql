-- dialer_project_gate: one row per project of dialer_params: which reason speaks against calling any of its cases at
-- dialer_now(). What is the same for all of them is computed here, once. reason, until_at, detail: a reason that ranks
-- before a case's own (no_worker, asterisk_down, project_stopped, project_failing), NULL: none. further_reason,
-- further_until_at, further_detail: one that ranks after it (no_agent, no_line, caller_id_limit, pacing).
-- is_guaranteed: an agent is guaranteed for one more call, as fewer calls are up than agents are free.
CREATE OR REPLACE VIEW dialer_project_gate AS
SELECT
    w.project_id,
    w.reason,
    IF(w.reason = 'project_stopped', NULL, IF(w.reason IS NULL, NULL, w.state_until_at)) AS until_at,
    CASE
        WHEN w.reason = 'project_stopped' THEN concat('start it with GET /?action=start&projectid=', w.project_id)
        WHEN w.reason IS NOT NULL THEN w.obstacle_reason
    END AS detail,
    w.further_reason,
    CASE w.further_reason
        WHEN 'caller_id_limit' THEN w.caller_id_until_at
        WHEN 'pacing' THEN CAST(json_value(w.room, '$.retry_at') AS datetime(6))
    END AS further_until_at,
    CASE w.further_reason
        WHEN 'no_agent' THEN concat('no member of queue ', w.queue, ' is free')
        WHEN 'no_line' THEN 'all lines of the project or its trunk are in use'
        WHEN 'caller_id_limit' THEN 'every caller ID in dialer_caller_ids that it may show has made its most_per_day calls'
        WHEN 'pacing' THEN concat('the calls per second of trunk ', w.trunk, ' are used up')
    END AS further_detail,
    w.type <> 'autoinforming' AND w.free > w.waiting AS is_guaranteed
FROM (
    SELECT
        n.*,
        CASE
            WHEN n.obstacle IN ('no_worker', 'asterisk_down') THEN n.obstacle
            WHEN n.wanted = 'stop' THEN 'project_stopped'
            WHEN n.obstacle = 'project_failing' THEN n.obstacle
        END AS reason,
        CASE
            WHEN n.type <> 'autoinforming' AND n.free = 0 THEN 'no_agent'
            WHEN n.`lines` > 0 AND n.calls_up >= n.`lines` THEN 'no_line'
            WHEN json_value(n.room, '$.room') = 0 AND json_value(n.room, '$.retry_at') IS NULL THEN 'no_line'
            WHEN n.caller_id_until_at IS NOT NULL THEN 'caller_id_limit'
            WHEN json_value(n.room, '$.room') = 0 THEN 'pacing'
        END AS further_reason
    FROM (
        -- DISTINCT, so that it is computed once; merged into the query it would be computed for each case.
        SELECT DISTINCT
            r.project_id, r.type, r.`lines`, r.queue, r.trunk, s.wanted, s.obstacle, s.obstacle_reason,
            s.until_at AS state_until_at, s.calls_up,
            (SELECT count(*) FROM dialer_agents g
             WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') AS free,
            (SELECT count(*) FROM dialer_calls a
             WHERE a.asterisk = r.asterisk AND a.ended_at IS NULL AND lower(a.queue) = lower(r.queue)
               AND a.agent_at IS NULL) AS waiting,
            dialer_trunk_room(r.trunk, s.asterisk, dialer_now()) AS room,
            dialer_caller_id_until(r.project_id, dialer_now()) AS caller_id_until_at
        FROM dialer_rules r
        JOIN dialer_project_states s ON s.project_id = r.project_id
    ) n
) w
