-- dialer_why_count: dialer_why summed: how many cases of a project have a reason at dialer_now().
-- project_id, reason, own_reason, cases; until_at: the earliest of theirs; counted_at: dialer_now(); screened: all cases
-- have been looked at since rules last changed (dialer_screen); if not, cases that rules keep back may be counted
-- otherwise. Cases of one call window that wait for the same thing have the same reason, and so have those that are
-- held for the same rule: they are counted in an index, and dialer_gate is asked about one of them. dialer_why is asked
-- about each case that stands apart (dialer_apart).
CREATE OR REPLACE VIEW dialer_why_count AS
WITH apart AS MATERIALIZED (
    SELECT c.id, c.project_id FROM dialer_apart a JOIN dialer_clients c ON c.id = a.case_id
), projects AS MATERIALIZED (
    SELECT * FROM dialer_project_gate
)
SELECT
    w.project_id,
    w.reason,
    w.own_reason,
    sum(w.cases)::bigint AS cases,
    min(w.until_at) AS until_at,
    dialer_now() AS counted_at,
    (
        SELECT NOT EXISTS (SELECT FROM dialer_rule_changes)
            AND coalesce((SELECT max(c.id) FROM dialer_clients c), 0) <= s.looked_to
        FROM dialer_screening s
    ) AS screened
FROM (
    SELECT a.project_id, y.reason, y.own_reason, 1 AS cases, y.until_at
    FROM apart a
    -- OFFSET 0, here and below: look up each case by its id, however many the planner expects.
    CROSS JOIN LATERAL (
        SELECT o.reason, o.own_reason, o.until_at FROM dialer_why o WHERE o.case_id = a.id OFFSET 0
    ) y
    UNION ALL
    SELECT
        k.project_id,
        coalesce(
            CASE WHEN p.project_id IS NULL THEN 'no_project' END,
            p.reason,
            k.own_reason,
            p.further_reason,
            'queued'
        )::varchar,
        k.own_reason,
        k.cases,
        CASE
            WHEN p.project_id IS NULL THEN NULL
            WHEN p.reason IS NOT NULL THEN p.until_at
            WHEN k.own_reason IS NOT NULL THEN k.own_until_at
            ELSE p.further_until_at
        END
    FROM (
        SELECT h.project_id, h.held_for AS own_reason, count(*) AS cases, min(h.held_until) AS own_until_at
        FROM dialer_held h
        WHERE h.id NOT IN (SELECT a.id FROM apart a)
        GROUP BY h.project_id, h.held_for
        UNION ALL
        SELECT n.project_id, g.other_reason, n.cases,
            CASE g.other_reason WHEN 'window_closed' THEN g.opens_at WHEN 'list_too_old' THEN NULL ELSE n.first_at END
        FROM (
            SELECT f.project_id, min(f.id) AS case_id, count(*) AS cases,
                -- IS NOT NULL first: almost none has a delay, and the clock would be asked for each case.
                min(f.not_before_at) FILTER (WHERE f.not_before_at IS NOT NULL AND f.not_before_at > dialer_now()) AS first_at
            FROM dialer_fresh f
            WHERE f.id NOT IN (SELECT a.id FROM apart a)
            GROUP BY f.project_id, f.window_key, f.not_before_at IS NOT NULL AND f.not_before_at > dialer_now()
            UNION ALL
            SELECT d.project_id, min(d.id), count(*),
                CASE
                    WHEN d.deferred_time > dialer_now() THEN min(d.deferred_time)
                    WHEN d.not_before_at IS NOT NULL AND d.not_before_at > dialer_now() THEN min(d.not_before_at)
                END
            FROM dialer_deferred d
            WHERE d.id NOT IN (SELECT a.id FROM apart a)
            GROUP BY d.project_id, d.deferred_kind, d.window_key, d.deferred_time > dialer_now(),
                d.not_before_at IS NOT NULL AND d.not_before_at > dialer_now()
        ) n
        CROSS JOIN LATERAL (
            SELECT o.other_reason, o.opens_at FROM dialer_gate o WHERE o.case_id = n.case_id OFFSET 0
        ) g
    ) k
    LEFT JOIN projects p ON p.project_id = k.project_id
) w
GROUP BY w.project_id, w.reason, w.own_reason
