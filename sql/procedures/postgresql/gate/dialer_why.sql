-- dialer_why: one row per case that is not used: the first reason why it is not being dialled at dialer_now().
-- reason: no_project, in_call, claimed, dialer_project_gate's reason, the case's own (dialer_gate),
-- dialer_project_gate's further reason (pacing also for a number that was abandoned lately, until fewer calls are up
-- than agents are free); otherwise queued (it may be called, but others come first). until_at: when that changes by
-- itself, if known. own_reason, own_until_at: the case's own, so that one can see before a start what it would dial;
-- next_at: the first instant at which no own reason holds if nothing else happens, if known. One case is a lookup, so
-- there is no rank in it (dialer_next has that). number: the one of its numbers that is dialled next, in one form.
CREATE OR REPLACE VIEW dialer_why AS
-- MATERIALIZED: computed once, however many cases there are and however few the planner expects.
WITH projects AS MATERIALIZED (
    SELECT * FROM dialer_project_gate
)
SELECT
    g.case_id,
    g.project_id,
    g.phone_number,
    coalesce(
        w.hand,
        p.reason,
        g.own_reason,
        p.further_reason,
        CASE WHEN w.needs_agent THEN 'pacing' END,
        'queued'
    )::varchar AS reason,
    CASE
        WHEN w.hand IS NOT NULL THEN NULL
        WHEN p.reason IS NOT NULL THEN p.until_at
        WHEN g.own_reason IS NOT NULL THEN g.own_until_at
        WHEN p.further_reason IS NOT NULL THEN p.further_until_at
        WHEN w.needs_agent THEN g.abandoned_until_at
    END AS until_at,
    CASE
        WHEN w.hand = 'no_project' THEN 'no row in dialer_params has this project_id'
        WHEN w.hand = 'in_call' THEN 'attempt ' || g.attempt_id
        WHEN w.hand = 'claimed' THEN 'by worker ' || g.worker_id || ' since ' || g.claimed_at
        WHEN p.reason IS NOT NULL THEN p.detail
        WHEN g.own_reason IS NOT NULL THEN g.own_detail
        WHEN p.further_reason IS NOT NULL THEN p.further_detail
        WHEN w.needs_agent THEN 'attempt ' || g.abandoned_by
            || ' abandoned this number: it is called only when fewer calls are up than agents are free'
        ELSE 'eligible; others are first (see dialer_next)'
    END::varchar AS detail,
    g.own_reason,
    g.own_until_at,
    g.next_at,
    g.number
FROM dialer_gate g
LEFT JOIN projects p ON p.project_id = g.project_id
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN p.project_id IS NULL THEN 'no_project'
            WHEN g.attempt_id IS NOT NULL THEN 'in_call'
            WHEN g.worker_id IS NOT NULL THEN 'claimed'
        END AS hand,
        g.abandoned_by IS NOT NULL AND NOT p.is_guaranteed AS needs_agent
) w
