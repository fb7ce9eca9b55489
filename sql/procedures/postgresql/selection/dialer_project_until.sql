-- dialer_project_until(p_project, p_now) -> instant, NULL when nothing waits
-- When the next waiting case may be dialled: p_now itself when one may now, else the next window, promise,
-- redial or end of a delay. A case that cannot go for another reason (number in a call) counts as now.
CREATE OR REPLACE FUNCTION dialer_project_until(p_project varchar, p_now timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT min(due.at) FROM (
        SELECT dialer_window_next(w.zone, w.allowed_start, w.allowed_stop, greatest(p_now, first.at)) AS at
        FROM dialer_windows(p_project, 'fresh', p_now) w
        CROSS JOIN LATERAL (
            SELECT coalesce(
                -- a case without a delay, else the first delay to end
                (SELECT p_now FROM (
                    SELECT f.not_before_at FROM dialer_fresh f
                    WHERE f.project_id = p_project AND f.window_key = w.window_key
                    ORDER BY f.created LIMIT 200) s
                 WHERE s.not_before_at IS NULL OR s.not_before_at <= p_now LIMIT 1),
                (SELECT min(f.not_before_at) FROM dialer_fresh f
                 WHERE f.project_id = p_project AND f.window_key = w.window_key
                   AND f.not_before_at IS NOT NULL)) AS at
        ) first
        UNION ALL
        SELECT dialer_window_next(w.zone, w.allowed_start, w.allowed_stop, greatest(p_now, first.at))
        FROM (VALUES ('scheduled'), ('redial')) kinds (kind)
        CROSS JOIN LATERAL dialer_windows(p_project, kinds.kind, p_now) w
        CROSS JOIN LATERAL (
            SELECT min(soon.at) AS at FROM (
                SELECT greatest(d.deferred_time, d.not_before_at) AS at
                FROM dialer_deferred d
                WHERE d.project_id = p_project
                  AND d.deferred_kind = kinds.kind
                  AND d.window_key = w.window_key
                ORDER BY d.deferred_time
                LIMIT 200) soon
        ) first
    ) due
$$
