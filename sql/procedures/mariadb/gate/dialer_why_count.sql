-- dialer_why_count: dialer_why summed: how many cases of a project have a reason at dialer_now().
-- project_id, reason, own_reason, cases; until_at: the earliest of theirs; counted_at: dialer_now(); screened: all cases
-- have been looked at since rules last changed (dialer_screen); if not, cases that rules keep back may be counted
-- otherwise. Cases of one call window that wait for the same thing have the same reason, and so have those that are
-- held for the same rule: they are counted in an index, and dialer_gate is asked about one of them. dialer_why is asked
-- about each case that stands apart (dialer_apart).
CREATE OR REPLACE VIEW dialer_why_count AS
WITH apart AS (
    SELECT
        c.id, c.project_id, c.waits_as, c.waits_for AS held_for, c.window_key,
        CASE
            WHEN c.waits_as <> 'fresh' AND c.deferred_time > dialer_now() THEN 'instant'
            WHEN c.not_before_at > dialer_now() THEN 'delay'
            ELSE 'nothing'
        END AS waits_for
    FROM dialer_apart a
    STRAIGHT_JOIN dialer_clients c ON c.id = a.case_id
)
SELECT
    w.project_id,
    w.reason,
    w.own_reason,
    CAST(sum(w.cases) AS signed) AS cases,
    min(w.until_at) AS until_at,
    dialer_now() AS counted_at,
    (
        SELECT NOT EXISTS (SELECT 1 FROM dialer_rule_changes)
            AND coalesce((SELECT max(c.id) FROM dialer_clients c), 0) <= s.looked_to
        FROM dialer_screening s
    ) AS screened
FROM (
    SELECT a.project_id, y.reason, y.own_reason, 1 AS cases, y.until_at
    FROM apart a
    STRAIGHT_JOIN dialer_why y ON y.case_id = a.id
    UNION ALL
    SELECT
        k.project_id,
        coalesce(IF(p.project_id IS NULL, 'no_project', NULL), p.reason, k.own_reason, p.further_reason, 'queued'),
        k.own_reason,
        k.cases,
        CASE
            WHEN p.project_id IS NULL THEN NULL
            WHEN p.reason IS NOT NULL THEN p.until_at
            WHEN k.own_reason IS NOT NULL THEN k.own_until_at
            ELSE p.further_until_at
        END
    FROM (
        SELECT h.project_id, h.held_for AS own_reason, h.cases - coalesce(e.cases, 0) AS cases, h.own_until_at
        FROM (
            SELECT c.project_id, c.waits_for AS held_for, count(*) AS cases,
                min(IF(c.held_until > v.now, c.held_until, NULL)) AS own_until_at
            FROM (
                -- now: asked for once, not for each case.
                SELECT d.project_id, d.waits_for, dialer_now() AS now
                FROM dialer_clients d
                GROUP BY d.project_id, d.waits_for
            ) v
            STRAIGHT_JOIN dialer_clients c FORCE INDEX (dialer_clients_held) ON c.project_id = v.project_id
                AND c.waits_for = v.waits_for
            WHERE v.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
            GROUP BY c.project_id, c.waits_for
        ) h
        LEFT JOIN (
            SELECT a.project_id, a.held_for, count(*) AS cases
            FROM apart a
            GROUP BY a.project_id, a.held_for
        ) e ON e.project_id = h.project_id AND e.held_for = h.held_for
        UNION ALL
        SELECT n.project_id, g.other_reason, n.cases,
            CASE g.other_reason WHEN 'window_closed' THEN g.opens_at WHEN 'list_too_old' THEN NULL ELSE n.first_at END
        FROM (
            SELECT DISTINCT
                f.project_id, f.cases - coalesce(e.cases, 0) AS cases, f.first_at,
                -- One of them that does not stand apart. Delays are at the end of their index, promised instants ahead
                -- at the end of theirs.
                CASE
                    WHEN f.cases <= coalesce(e.cases, 0) THEN NULL
                    WHEN f.waits_for = 'delay' THEN (
                        SELECT c.id
                        FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                        WHERE c.project_id = f.project_id AND c.waits_as = f.waits_as AND c.window_key = f.window_key
                          AND c.not_before_at > f.now AND (f.waits_as = 'fresh' OR c.deferred_time <= f.now)
                          AND NOT (SELECT o.stands_apart FROM dialer_gate_reasons o WHERE o.case_id = c.id)
                        ORDER BY c.not_before_at DESC
                        LIMIT 1)
                    WHEN f.waits_for = 'instant' THEN (
                        SELECT c.id
                        FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
                        WHERE c.project_id = f.project_id AND c.waits_as = f.waits_as AND c.window_key = f.window_key
                          AND c.deferred_time > f.now
                          AND NOT (SELECT o.stands_apart FROM dialer_gate_reasons o WHERE o.case_id = c.id)
                        ORDER BY c.deferred_time DESC
                        LIMIT 1)
                    WHEN f.waits_as = 'fresh' THEN (
                        SELECT c.id
                        FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                        WHERE c.project_id = f.project_id AND c.waits_as = f.waits_as AND c.window_key = f.window_key
                          AND (c.not_before_at IS NULL OR c.not_before_at <= f.now)
                          AND NOT (SELECT o.stands_apart FROM dialer_gate_reasons o WHERE o.case_id = c.id)
                        ORDER BY c.not_before_at
                        LIMIT 1)
                    ELSE (
                        SELECT c.id
                        FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
                        WHERE c.project_id = f.project_id AND c.waits_as = f.waits_as AND c.window_key = f.window_key
                          AND c.deferred_time <= f.now AND (c.not_before_at IS NULL OR c.not_before_at <= f.now)
                          AND NOT (SELECT o.stands_apart FROM dialer_gate_reasons o WHERE o.case_id = c.id)
                        ORDER BY c.deferred_time
                        LIMIT 1)
                END AS case_id
            FROM (
                SELECT
                    w.project_id, w.waits_as, w.window_key, w.now, s.waits_for,
                    CASE s.waits_for
                        WHEN 'instant' THEN json_value(w.counted, '$.ahead')
                        WHEN 'delay' THEN json_value(w.late, '$.cases')
                        ELSE json_value(w.counted, '$.due') - json_value(w.late, '$.cases')
                    END AS cases,
                    CAST(CASE s.waits_for
                        WHEN 'instant' THEN json_value(w.counted, '$.first_at')
                        WHEN 'delay' THEN json_value(w.late, '$.first_at')
                    END AS datetime(6)) AS first_at
                FROM (
                    SELECT DISTINCT
                        u.project_id, u.waits_as, u.window_key, u.now, u.counted,
                        -- Mostly none has a delay, and nobody need look for those whose delay is not over.
                        IF(json_value(u.counted, '$.delays') = 0, '{"cases": 0}', (
                            SELECT json_object('cases', count(*), 'first_at', min(c.not_before_at))
                            FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                            WHERE c.project_id = u.project_id AND c.waits_as = u.waits_as
                              AND c.window_key = u.window_key
                              AND c.not_before_at > u.now AND (u.waits_as = 'fresh' OR c.deferred_time <= u.now)
                        )) AS late
                    FROM (
                        -- Each is counted once, by an index: a subquery is planned once, where a function's statements
                        -- are planned at each call, and a join would gather all cases in a temporary table. DISTINCT,
                        -- here and above: merged into the query they would be asked for each column.
                        SELECT DISTINCT
                            v.project_id, v.waits_as, v.window_key, v.now,
                            IF(v.waits_as = 'fresh', (
                                SELECT json_object('due', count(*), 'delays', count(i.not_before_at))
                                FROM dialer_clients i FORCE INDEX (dialer_clients_delayed)
                                WHERE i.project_id = v.project_id AND i.waits_as = v.waits_as
                                  AND i.window_key = v.window_key
                            ), (
                                SELECT json_object('due', count(IF(i.deferred_time <= v.now, 1, NULL)),
                                    'ahead', count(IF(i.deferred_time > v.now, 1, NULL)),
                                    'first_at', min(IF(i.deferred_time > v.now, i.deferred_time, NULL)))
                                FROM dialer_clients i FORCE INDEX (dialer_clients_deferred)
                                WHERE i.project_id = v.project_id AND i.waits_as = v.waits_as
                                  AND i.window_key = v.window_key
                            )) AS counted
                        FROM (
                            SELECT c.project_id, c.waits_as, c.window_key, dialer_now() AS now
                            FROM dialer_clients c
                            GROUP BY c.project_id, c.waits_as, c.window_key
                        ) v
                        WHERE v.waits_as IS NOT NULL
                    ) u
                ) w
                JOIN (
                    SELECT 'nothing' AS waits_for UNION ALL SELECT 'delay' UNION ALL SELECT 'instant'
                ) s ON w.waits_as <> 'fresh' OR s.waits_for <> 'instant'
            ) f
            LEFT JOIN (
                SELECT a.project_id, a.waits_as, a.window_key, a.waits_for, count(*) AS cases
                FROM apart a
                GROUP BY a.project_id, a.waits_as, a.window_key, a.waits_for
            ) e ON e.project_id = f.project_id AND e.waits_as = f.waits_as AND e.window_key = f.window_key
                AND e.waits_for = f.waits_for
        ) n
        STRAIGHT_JOIN dialer_gate g ON g.case_id = n.case_id
    ) k
    LEFT JOIN dialer_project_gate p ON p.project_id = k.project_id
    WHERE k.cases > 0
) w
GROUP BY w.project_id, w.reason, w.own_reason
