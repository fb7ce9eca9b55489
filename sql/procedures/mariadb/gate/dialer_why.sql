-- dialer_why: one row per case that is not used: the first reason why it is not being dialled at dialer_now().
-- reason: no_project, in_call, claimed, dialer_project_gate's reason, the case's own (dialer_gate),
-- dialer_project_gate's further reason (pacing also for a number that was abandoned lately, until fewer calls are up
-- than agents are free); otherwise queued (it may be called, but others come first). until_at: when that changes by
-- itself, if known. own_reason, own_until_at: the case's own, so that one can see before a start what it would dial;
-- next_at: the first instant at which no own reason holds if nothing else happens, if known. One case is a lookup, so
-- there is no rank in it (dialer_next has that). number: the one of its numbers that is dialled next, in one form.
CREATE OR REPLACE VIEW dialer_why AS
SELECT
    w.case_id,
    w.project_id,
    w.phone_number,
    coalesce(
        w.hand,
        w.project_reason,
        w.own_reason,
        w.further_reason,
        IF(w.needs_agent, 'pacing', NULL),
        'queued'
    ) AS reason,
    CASE
        WHEN w.hand IS NOT NULL THEN NULL
        WHEN w.project_reason IS NOT NULL THEN w.project_until_at
        WHEN w.own_reason IS NOT NULL THEN w.own_until_at
        WHEN w.further_reason IS NOT NULL THEN w.further_until_at
        WHEN w.needs_agent THEN w.abandoned_until_at
    END AS until_at,
    CASE
        WHEN w.hand = 'no_project' THEN 'no row in dialer_params has this project_id'
        WHEN w.hand = 'in_call' THEN concat('attempt ', w.attempt_id)
        WHEN w.hand = 'claimed' THEN concat('by worker ', w.worker_id, ' since ', w.claimed_at)
        WHEN w.project_reason IS NOT NULL THEN w.project_detail
        WHEN w.own_reason IS NOT NULL THEN w.own_detail
        WHEN w.further_reason IS NOT NULL THEN w.further_detail
        WHEN w.needs_agent THEN concat('attempt ', w.abandoned_by,
            ' abandoned this number: it is called only when fewer calls are up than agents are free')
        ELSE 'eligible; others are first (see dialer_next)'
    END AS detail,
    w.own_reason,
    w.own_until_at,
    w.next_at,
    w.number
FROM (
    SELECT
        g.*,
        p.reason AS project_reason, p.until_at AS project_until_at, p.detail AS project_detail,
        p.further_reason, p.further_until_at, p.further_detail,
        CASE
            WHEN p.project_id IS NULL THEN 'no_project'
            WHEN g.attempt_id IS NOT NULL THEN 'in_call'
            WHEN g.worker_id IS NOT NULL THEN 'claimed'
        END AS hand,
        g.abandoned_by IS NOT NULL AND NOT p.is_guaranteed AS needs_agent
    FROM dialer_gate g
    LEFT JOIN dialer_project_gate p ON p.project_id = g.project_id
) w
