-- dialer_why_count: dialer_why summed: how many cases of a project have a reason at dialer_now().
-- project_id, reason, own_reason, cases; until_at: the earliest of theirs; counted_at: dialer_now(). Cases of one call
-- window that wait for the same thing have the same reason: they are counted in an index, and dialer_why is asked about
-- one of them. It is asked about each case that stands apart (dialer_apart).
CREATE OR REPLACE VIEW dialer_why_count AS
WITH apart AS MATERIALIZED (
    SELECT c.id, c.project_id FROM dialer_apart a JOIN dialer_clients c ON c.id = a.case_id
)
SELECT
    k.project_id,
    w.reason,
    w.own_reason,
    sum(k.cases)::bigint AS cases,
    min(CASE WHEN w.reason = w.own_reason THEN coalesce(k.first_at, w.until_at) ELSE w.until_at END) AS until_at,
    dialer_now() AS counted_at
FROM (
    SELECT a.project_id, a.id AS case_id, 1 AS cases, NULL::timestamptz AS first_at FROM apart a
    UNION ALL
    SELECT f.project_id, min(f.id), count(*), min(f.not_before_at) FILTER (WHERE f.not_before_at > dialer_now())
    FROM dialer_fresh f
    WHERE f.id NOT IN (SELECT a.id FROM apart a)
    GROUP BY f.project_id, f.window_key, f.not_before_at > dialer_now()
    UNION ALL
    SELECT d.project_id, min(d.id), count(*),
        CASE
            WHEN d.deferred_time > dialer_now() THEN min(d.deferred_time)
            WHEN d.not_before_at > dialer_now() THEN min(d.not_before_at)
        END
    FROM dialer_deferred d
    WHERE d.id NOT IN (SELECT a.id FROM apart a)
    GROUP BY d.project_id, d.deferred_kind, d.window_key, d.deferred_time > dialer_now(), d.not_before_at > dialer_now()
) k
-- OFFSET 0: look up each case by its id, however many the planner expects.
CROSS JOIN LATERAL (
    SELECT y.reason, y.own_reason, y.until_at FROM dialer_why y WHERE y.case_id = k.case_id OFFSET 0
) w
GROUP BY k.project_id, w.reason, w.own_reason
