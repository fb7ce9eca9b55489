-- dialer_why_count: dialer_why summed: how many cases of a project have a reason at dialer_now().
-- project_id, reason, own_reason, cases; until_at: the earliest of theirs; counted_at: dialer_now(). Cases of one call
-- window, alike in what they wait for, have the same reason: they are counted in an index, and dialer_why is asked of
-- one of them. It is asked of each case that stands apart: in hand, or with a number that is in a call or was abandoned
-- lately.
CREATE OR REPLACE VIEW dialer_why_count AS
WITH apart AS (
    SELECT
        c.id, c.project_id, c.waits_as, c.window_key,
        c.waits_as <> 'fresh' AND c.deferred_time > dialer_now() AS is_ahead,
        coalesce(c.not_before_at > dialer_now(), false) AS is_late
    FROM (
        SELECT l.case_id FROM dialer_claims l
        UNION
        SELECT d.id FROM dialer_clients d WHERE d.checked
        UNION
        SELECT d.id FROM dialer_live n JOIN dialer_clients d ON d.phone_number = n.phone_number
        UNION
        SELECT d.id
        FROM dialer_abandoned b
        JOIN dialer_clients d ON d.phone_number = b.phone_number
        WHERE b.until_at > dialer_now()
    ) a
    JOIN dialer_clients c ON c.id = a.case_id
), windows AS (
    SELECT c.project_id, c.waits_as, c.window_key
    FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
    GROUP BY c.project_id, c.waits_as, c.window_key
)
SELECT
    k.project_id,
    w.reason,
    w.own_reason,
    CAST(sum(k.cases) AS signed) AS cases,
    min(w.until_at) AS until_at,
    dialer_now() AS counted_at
FROM (
    SELECT a.project_id, a.id AS case_id, 1 AS cases FROM apart a
    UNION ALL
    -- fresh, delayed
    SELECT v.project_id,
        (SELECT c.id FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
         WHERE c.project_id = v.project_id AND c.waits_as = 'fresh' AND c.window_key = v.window_key
           AND c.not_before_at > dialer_now() AND c.id NOT IN (SELECT a.id FROM apart a)
         ORDER BY c.not_before_at LIMIT 1),
        (SELECT count(*) FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
         WHERE c.project_id = v.project_id AND c.waits_as = 'fresh' AND c.window_key = v.window_key
           AND c.not_before_at > dialer_now())
        - (SELECT count(*) FROM apart a
           WHERE a.project_id = v.project_id AND a.waits_as = 'fresh' AND a.window_key = v.window_key AND a.is_late)
    FROM windows v WHERE v.waits_as = 'fresh'
) k
STRAIGHT_JOIN dialer_why w ON w.case_id = k.case_id
GROUP BY k.project_id, w.reason, w.own_reason
