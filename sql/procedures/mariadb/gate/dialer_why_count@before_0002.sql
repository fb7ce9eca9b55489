-- dialer_why_count: dialer_why summed: how many cases of a project have a reason at dialer_now().
-- project_id, reason, own_reason, cases; until_at: the earliest of theirs; counted_at: dialer_now(). Cases of one call
-- window that wait for the same thing have the same reason: they are counted in an index, and dialer_why is asked about
-- one of them. It is asked about each case that stands apart (dialer_apart).
CREATE OR REPLACE VIEW dialer_why_count AS
WITH apart AS (
    SELECT
        c.id, c.project_id, c.waits_as, c.window_key,
        CASE
            WHEN c.waits_as <> 'fresh' AND c.deferred_time > dialer_now() THEN 'instant'
            WHEN c.not_before_at > dialer_now() THEN 'delay'
            ELSE 'nothing'
        END AS waits_for
    FROM dialer_apart a
    JOIN dialer_clients c ON c.id = a.case_id
)
SELECT
    k.project_id,
    w.reason,
    w.own_reason,
    CAST(sum(k.cases) AS signed) AS cases,
    min(IF(w.reason = w.own_reason, coalesce(k.first_at, w.until_at), w.until_at)) AS until_at,
    dialer_now() AS counted_at
FROM (
    SELECT a.project_id, a.id AS case_id, 1 AS cases, CAST(NULL AS datetime(6)) AS first_at FROM apart a
    UNION ALL
    SELECT f.project_id, CAST(json_value(f.found, '$.case_id') AS signed),
        json_value(f.found, '$.cases') - coalesce(e.cases, 0), CAST(json_value(f.found, '$.first_at') AS datetime(6))
    FROM (
        -- DISTINCT, so that it is asked once for each; merged into the query it would be asked for each column.
        SELECT DISTINCT v.project_id, v.waits_as, v.window_key, s.waits_for,
            dialer_alike(v.project_id, v.waits_as, v.window_key, s.waits_for) AS found
        FROM (
            SELECT c.project_id, c.waits_as, c.window_key
            FROM dialer_clients c
            GROUP BY c.project_id, c.waits_as, c.window_key
        ) v
        JOIN (
            SELECT 'nothing' AS waits_for UNION ALL SELECT 'delay' UNION ALL SELECT 'instant'
        ) s ON v.waits_as <> 'fresh' OR s.waits_for <> 'instant'
        WHERE v.waits_as IS NOT NULL
    ) f
    LEFT JOIN (
        SELECT a.project_id, a.waits_as, a.window_key, a.waits_for, count(*) AS cases
        FROM apart a
        GROUP BY a.project_id, a.waits_as, a.window_key, a.waits_for
    ) e ON e.project_id = f.project_id AND e.waits_as = f.waits_as AND e.window_key = f.window_key
        AND e.waits_for = f.waits_for
) k
STRAIGHT_JOIN dialer_why w ON w.case_id = k.case_id
GROUP BY k.project_id, w.reason, w.own_reason
