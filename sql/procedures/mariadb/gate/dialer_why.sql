-- dialer_why: one row per case that is not used: the first reason why it is not being dialled at dialer_now().
-- reason: no_project, in_call, claimed, no_worker, asterisk_down, project_stopped, project_failing, scheduled,
-- redial, delayed, window_closed, number_in_call, no_agent, no_line, pacing, queued (eligible, others first);
-- A number that was abandoned lately waits where no agent can be guaranteed (autoinforming: delayed), or else until
-- fewer calls are up than agents are free (pacing).
-- until_at: when that changes by itself, where known. One case is a lookup; so there is no rank in it
-- (dialer_next has that).
CREATE OR REPLACE VIEW dialer_why AS
SELECT
    w.case_id,
    w.project_id,
    w.phone_number,
    CASE w.reason WHEN 'protected' THEN 'delayed' WHEN 'agent_not_guaranteed' THEN 'pacing' ELSE w.reason END AS reason,
    CASE w.reason
        WHEN 'no_worker' THEN w.state_until_at
        WHEN 'asterisk_down' THEN w.state_until_at
        WHEN 'project_failing' THEN w.state_until_at
        WHEN 'scheduled' THEN w.deferred_time
        WHEN 'redial' THEN w.deferred_time
        WHEN 'delayed' THEN w.not_before_at
        WHEN 'protected' THEN w.protected_until_at
        WHEN 'agent_not_guaranteed' THEN w.protected_until_at
        WHEN 'window_closed' THEN
            dialer_window_next(w.zone, w.allowed_start, w.allowed_stop, dialer_now())
        WHEN 'pacing' THEN
            CAST(json_value(dialer_trunk_room(w.trunk, w.asterisk, dialer_now()), '$.retry_at') AS datetime(6))
    END AS until_at,
    CASE w.reason
        WHEN 'no_project' THEN 'no row in dialer_params has this project_id'
        WHEN 'in_call' THEN concat('attempt ', w.attempt_id)
        WHEN 'claimed' THEN concat('by worker ', w.worker_id, ' since ', w.claimed_at)
        WHEN 'no_worker' THEN w.obstacle_reason
        WHEN 'asterisk_down' THEN w.obstacle_reason
        WHEN 'project_stopped' THEN concat('start it with GET /?action=start&projectid=', w.project_id)
        WHEN 'project_failing' THEN w.obstacle_reason
        WHEN 'delayed' THEN CASE
            WHEN w.abandoning_attempt_id IS NULL THEN 'a call could not be made; it is tried again'
            ELSE concat('attempt ', w.abandoning_attempt_id, ' abandoned this number: it is called when an agent is certain')
        END
        WHEN 'protected' THEN concat('attempt ', w.abandoning_attempt_id,
            ' abandoned this number: only projects with agents may call it')
        WHEN 'agent_not_guaranteed' THEN concat('attempt ', w.abandoning_attempt_id,
            ' abandoned this number: it is called only when fewer calls are up than agents are free')
        WHEN 'window_closed' THEN concat(w.allowed_start, ' to ', w.allowed_stop, ' in ', w.zone)
        WHEN 'number_in_call' THEN concat('case ', w.other_case_id, ' of project ', w.other_project_id)
        WHEN 'no_agent' THEN concat('no member of queue ', w.queue, ' is free')
        WHEN 'no_line' THEN 'all lines of the project or its trunk are in use'
        WHEN 'pacing' THEN concat('the calls per second of trunk ', w.trunk, ' are used up')
        WHEN 'queued' THEN 'eligible; others are first (see dialer_next)'
    END AS detail
FROM (
    SELECT
        c.id AS case_id, c.project_id, c.phone_number, c.deferred_time, c.not_before_at, c.allowed_start, c.allowed_stop,
        coalesce(nullif(c.utc, ''), r.zone) AS zone, r.trunk, s.asterisk, r.queue,
        s.until_at AS state_until_at, s.obstacle_reason,
        l.attempt_id, l.worker_id, l.claimed_at, n.case_id AS other_case_id, n.project_id AS other_project_id,
        b.until_at AS protected_until_at, b.attempt_id AS abandoning_attempt_id,
        CASE
            WHEN r.project_id IS NULL THEN 'no_project'
            WHEN l.attempt_id IS NOT NULL THEN 'in_call'
            WHEN l.case_id IS NOT NULL THEN 'claimed'
            WHEN s.obstacle IN ('no_worker', 'asterisk_down') THEN s.obstacle
            WHEN s.wanted = 'stop' THEN 'project_stopped'
            WHEN s.obstacle = 'project_failing' THEN s.obstacle
            WHEN c.deferred_time > dialer_now() AND NOT c.deferred_done THEN c.deferred_kind
            WHEN b.phone_number IS NOT NULL AND r.type = 'autoinforming' THEN 'protected'
            WHEN c.not_before_at > dialer_now() THEN 'delayed'
            WHEN NOT dialer_window_open(coalesce(nullif(c.utc, ''), r.zone), c.allowed_start, c.allowed_stop, dialer_now())
                THEN 'window_closed'
            WHEN n.phone_number IS NOT NULL THEN 'number_in_call'
            WHEN r.type <> 'autoinforming' AND NOT EXISTS (
                SELECT 1 FROM dialer_agents g
                WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') THEN 'no_agent'
            WHEN r.`lines` > 0 AND s.calls_up >= r.`lines` THEN 'no_line'
            WHEN json_value(dialer_trunk_room(r.trunk, s.asterisk, dialer_now()), '$.room') = 0 THEN
                IF(json_value(dialer_trunk_room(r.trunk, s.asterisk, dialer_now()), '$.retry_at') IS NULL,
                    'no_line', 'pacing')
            WHEN b.phone_number IS NOT NULL AND (
                SELECT count(*) FROM dialer_agents g
                WHERE g.asterisk = r.asterisk AND lower(g.queue) = lower(r.queue) AND g.state = 'free') <= (
                SELECT count(*) FROM dialer_calls a
                WHERE a.asterisk = r.asterisk AND a.ended_at IS NULL AND lower(a.queue) = lower(r.queue) AND a.agent_at IS NULL)
                THEN 'agent_not_guaranteed'
            ELSE 'queued'
        END AS reason
    FROM dialer_clients c
    LEFT JOIN dialer_rules r ON r.project_id = c.project_id
    LEFT JOIN dialer_project_states s ON s.project_id = c.project_id
    -- Not the claim of another case that had this id before.
    LEFT JOIN dialer_claims l ON l.case_id = c.id AND l.case_inserted_at = c.inserted_at
    LEFT JOIN dialer_live n ON n.phone_number = c.phone_number
    LEFT JOIN dialer_abandoned b ON b.phone_number = c.phone_number AND b.until_at > dialer_now()
    WHERE NOT c.used
) w
