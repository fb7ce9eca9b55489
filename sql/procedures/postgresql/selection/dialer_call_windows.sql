-- dialer_call_windows(p_project, p_kind, p_now) -> window_key, case_id, is_known, is_open, minutes, opens_at
-- The distinct call windows among the project's waiting cases of a kind (fresh, scheduled, redial; held: those that a
-- rule holds and whose time has come), with a case of each. is_known: dialer_windows says whether it is open at p_now;
-- otherwise it is found out. minutes: the offset from UTC in force at p_now; opens_at: when a closed one opens, if that
-- is known. One index probe per window, however many cases share it, so closed windows with a million cases cost nothing.
-- (MariaDB leaves the rows in dialer_windows_found; there those of held cases are added to the ones found before.)
CREATE OR REPLACE FUNCTION dialer_call_windows(p_project varchar, p_kind varchar, p_now timestamptz)
RETURNS TABLE (
    window_key varchar,
    case_id bigint,
    is_known bool,
    is_open bool,
    minutes int,
    opens_at timestamptz
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_key varchar COLLATE "C" := '';
    v_rules CONSTANT varchar := dialer_rules_version();
BEGIN
    LOOP
        IF p_kind = 'fresh' THEN
            SELECT f.window_key, f.id INTO v_key, case_id FROM dialer_fresh f
            WHERE f.project_id = p_project AND f.window_key > v_key
            ORDER BY f.window_key LIMIT 1;
        ELSIF p_kind = 'held' THEN
            SELECT h.window_key, h.id INTO v_key, case_id FROM dialer_held h
            WHERE h.project_id = p_project AND h.held_until <= p_now AND h.window_key > v_key
            ORDER BY h.window_key LIMIT 1;
        ELSE
            SELECT d.window_key, d.id INTO v_key, case_id FROM dialer_deferred d
            WHERE d.project_id = p_project AND d.deferred_kind = p_kind AND d.window_key > v_key
            ORDER BY d.window_key LIMIT 1;
        END IF;
        EXIT WHEN NOT FOUND;
        window_key := v_key;
        SELECT w.is_open, w.minutes, w.opens_at INTO is_open, minutes, opens_at
        FROM dialer_windows w
        WHERE w.project_id = p_project AND w.window_key = v_key
          AND w.rules = v_rules AND w.evaluated_at <= p_now AND w.changes_at > p_now;
        is_known := FOUND;
        IF NOT is_known THEN
            SELECT o.is_open, o.minutes INTO is_open, minutes
            FROM dialer_clients c
            CROSS JOIN LATERAL dialer_opening(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region,
                c.number_region, p_now) o
            WHERE c.id = case_id;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$
