-- dialer_windows_refresh(p_project, p_now) -> how many
-- Write into dialer_windows which call windows of a project are open at p_now, and until when that holds: those whose
-- answer is over, and new ones; those that no waiting case has any more are taken away. For dialer_claim and
-- dialer_screen; nobody waits for a row that somebody else writes.
CREATE OR REPLACE FUNCTION dialer_windows_refresh(p_project varchar, p_now timestamptz)
RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_rules CONSTANT varchar := (SELECT v.version FROM dialer_rules_version v);
    v_count int;
BEGIN
    DELETE FROM dialer_windows d
    WHERE d.project_id = p_project
      AND d.window_key IN (
        SELECT w.window_key FROM dialer_windows w
        WHERE w.project_id = p_project
          AND (w.rules <> v_rules OR w.evaluated_at > p_now OR w.changes_at <= p_now)
        FOR UPDATE SKIP LOCKED);
    INSERT INTO dialer_windows (
        project_id, window_key, is_open, minutes, opens_at, detail, evaluated_at, changes_at, rules)
    SELECT p_project, k.window_key, k.is_open, k.minutes,
        CASE WHEN NOT k.is_open THEN dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones,
            c.region, c.number_region, p_now) END,
        k.detail, p_now, k.changes_at, v_rules
    FROM (
        SELECT DISTINCT ON (w.window_key) w.*
        FROM (VALUES ('fresh'), ('scheduled'), ('redial')) kinds (kind)
        CROSS JOIN LATERAL dialer_call_windows(p_project, kinds.kind, p_now) w
        WHERE NOT w.is_known
    ) k
    JOIN dialer_clients c ON c.id = k.case_id
    ORDER BY k.window_key
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$
