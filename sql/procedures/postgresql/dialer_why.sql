-- dialer_why: one row per case that is not used: the first reason why it is not being dialled at dialer_now().
-- reason: no_project, in_call, claimed, no_worker, asterisk_down, project_stopped, project_failing, scheduled,
-- redial, delayed, window_closed, number_in_call, no_agent, no_line, pacing, queued (eligible, others first);
-- until_at: when that changes by itself, where known. One case is a lookup; so there is no rank in it
-- (dialer_next has that).
CREATE OR REPLACE VIEW dialer_why AS
SELECT
    c.id AS case_id,
    c.project_id,
    c.phone_number,
    why.reason::varchar AS reason,
    why.until_at,
    why.detail::varchar AS detail
FROM dialer_clients c
LEFT JOIN dialer_rules r ON r.project_id = c.project_id
LEFT JOIN dialer_project_states s ON s.project_id = c.project_id
LEFT JOIN dialer_trunks t ON t.trunk = r.trunk AND t.asterisk = r.asterisk
LEFT JOIN dialer_claims l ON l.case_id = c.id
LEFT JOIN dialer_live n ON n.phone_number = c.phone_number
CROSS JOIN LATERAL (
    SELECT
        c.deferred_time IS NOT NULL AND NOT c.deferred_done AS deferred,
        coalesce(nullif(c.utc, ''), r.zone) AS zone,
        dialer_now() AS now
) f
CROSS JOIN LATERAL (
    SELECT 'no_project' AS reason, NULL::timestamptz AS until_at,
        'no row in dialer_params has this project_id' AS detail, 1 AS rank
    WHERE r.project_id IS NULL
    UNION ALL
    SELECT 'in_call', NULL, 'attempt ' || l.attempt_id, 2
    WHERE l.attempt_id IS NOT NULL
    UNION ALL
    SELECT 'claimed', NULL, 'by worker ' || l.worker_id || ' since ' || l.claimed_at, 3
    WHERE l.case_id IS NOT NULL
    UNION ALL
    SELECT s.obstacle, s.until_at, s.reason, CASE s.obstacle WHEN 'no_worker' THEN 4 ELSE 5 END
    WHERE s.wanted = 'start' AND s.obstacle IN ('no_worker', 'asterisk_down')
    UNION ALL
    SELECT 'project_stopped', NULL, 'start it with GET /?action=start&projectid=' || c.project_id, 6
    WHERE s.wanted = 'stop'
    UNION ALL
    SELECT 'project_failing', s.until_at, s.reason, 7
    WHERE s.obstacle = 'project_failing'
    UNION ALL
    SELECT c.deferred_kind, c.deferred_time, NULL, 8
    WHERE f.deferred AND c.deferred_time > f.now
    UNION ALL
    SELECT 'delayed', c.not_before_at, 'a call could not be made; it is tried again', 10
    WHERE c.not_before_at > f.now
    UNION ALL
    SELECT 'window_closed', dialer_window_next(f.zone, c.allowed_start, c.allowed_stop, f.now),
        c.allowed_start || ' to ' || c.allowed_stop || ' in ' || f.zone, 11
    WHERE NOT dialer_window_open(f.zone, c.allowed_start, c.allowed_stop, f.now)
    UNION ALL
    SELECT 'number_in_call', NULL, 'case ' || n.case_id || ' of project ' || n.project_id, 12
    WHERE n.phone_number IS NOT NULL
    UNION ALL
    SELECT 'no_agent', NULL, 'no member of queue ' || r.queue || ' is free', 13
    WHERE r.type <> 'autoinforming' AND NOT EXISTS (
        SELECT FROM dialer_agents g
        WHERE g.asterisk = r.asterisk AND g.queue = r.queue AND g.state = 'free')
    UNION ALL
    SELECT 'no_line', NULL, 'all lines of the project or its trunk are in use', 14
    WHERE (r.lines > 0 AND s.calls_up >= r.lines)
       OR (SELECT count(*) FROM dialer_live u WHERE u.trunk = t.trunk AND u.asterisk = t.asterisk) >= t.max_lines
    UNION ALL
    SELECT 'queued', NULL, 'eligible; others are first (see dialer_next)', 16
    ORDER BY rank
    LIMIT 1
) why
WHERE NOT c.used
