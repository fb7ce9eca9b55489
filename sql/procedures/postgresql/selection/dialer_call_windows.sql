-- dialer_call_windows(p_project, p_kind, p_now)
--     -> window_key, case_id, is_known, is_open, minutes, opens_at, detail, changes_at
-- The distinct call windows among the project's waiting cases of a kind (fresh, scheduled, redial; held: those that a
-- rule holds and whose time has come), with a case of each. is_known: dialer_windows says whether it is open at p_now;
-- otherwise it is found out. minutes: the offset from UTC in force at p_now; opens_at: when a closed one opens, if that
-- is known; detail, changes_at: as in dialer_opening, if it was found out. One index probe per window, however many cases
-- share it, so closed windows with a million cases cost nothing. (MariaDB leaves the rows in dialer_windows_found, without
-- the last three; there those of held cases are added to the ones found before.)
CREATE OR REPLACE FUNCTION dialer_call_windows(p_project varchar, p_kind varchar, p_now timestamptz)
RETURNS TABLE (
    window_key varchar,
    case_id bigint,
    is_known bool,
    is_open bool,
    minutes int,
    opens_at timestamptz,
    detail varchar,
    changes_at timestamptz
)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
AS $$
BEGIN
    FOR window_key, case_id, is_known, is_open, minutes, opens_at, detail, changes_at IN
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
        SELECT k.window_key, k.case_id, w.window_key IS NOT NULL, w.is_open, w.minutes, w.opens_at, NULL, NULL
        FROM keys k
        LEFT JOIN dialer_windows w ON w.project_id = p_project AND w.window_key = k.window_key
            AND w.rules = (SELECT v.version FROM dialer_rules_version v) AND w.evaluated_at <= p_now AND w.changes_at > p_now
        WHERE k.case_id IS NOT NULL
    LOOP
        IF NOT is_known THEN
            SELECT o.is_open, o.minutes, o.detail, o.changes_at INTO is_open, minutes, detail, changes_at
            FROM dialer_clients c
            CROSS JOIN LATERAL dialer_opening(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region,
                c.number_region, p_now) o
            WHERE c.id = case_id;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$
