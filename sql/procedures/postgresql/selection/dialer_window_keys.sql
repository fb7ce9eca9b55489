-- dialer_window_keys(p_project, p_kind, p_now) -> window_key, case_id
-- The keys that dialer_call_windows tells about, each with a case of it.
CREATE OR REPLACE FUNCTION dialer_window_keys(p_project varchar, p_kind varchar, p_now timestamptz)
RETURNS TABLE (window_key varchar, case_id bigint)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- From each window to the next one by the index of that kind of case.
    WITH RECURSIVE keys (window_key, case_id) AS (
        SELECT ''::varchar COLLATE "C", NULL::bigint
        UNION ALL
        SELECT n.window_key, n.id
        FROM keys k
        CROSS JOIN LATERAL (
            (SELECT f.window_key, f.id FROM dialer_fresh f
             WHERE p_kind = 'fresh' AND f.project_id = p_project AND f.window_key > k.window_key
             ORDER BY f.window_key LIMIT 1)
            UNION ALL
            (SELECT h.window_key, h.id FROM dialer_held h
             WHERE p_kind = 'held' AND h.project_id = p_project AND h.held_until <= p_now
               AND h.window_key > k.window_key
             ORDER BY h.window_key LIMIT 1)
            UNION ALL
            (SELECT d.window_key, d.id FROM dialer_deferred d
             WHERE d.deferred_kind = p_kind AND d.project_id = p_project AND d.window_key > k.window_key
             ORDER BY d.window_key LIMIT 1)
        ) n
    )
    SELECT k.window_key, k.case_id FROM keys k WHERE k.case_id IS NOT NULL;
END
$$
