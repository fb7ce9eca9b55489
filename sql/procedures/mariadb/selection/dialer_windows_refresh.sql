-- dialer_windows_refresh(p_project, p_now) -> how many
-- Write into dialer_windows which call windows of a project are open at p_now, and until when that holds: those whose
-- answer is over, and new ones; those that no waiting case has any more are taken away. For dialer_claim and
-- dialer_screen; nobody waits for a row that somebody else writes.
CREATE OR REPLACE PROCEDURE dialer_windows_refresh(p_project varchar(400), p_now datetime(6))
BEGIN
    DECLARE v_rules varchar(100);
    SELECT v.version INTO v_rules FROM dialer_rules_version v;
    FOR w IN (
        SELECT d.window_key FROM dialer_windows d
        WHERE d.project_id = p_project AND (d.rules <> v_rules OR d.evaluated_at > p_now OR d.changes_at <= p_now)
    ) DO
        BEGIN
            DECLARE EXIT HANDLER FOR 1205 BEGIN END;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            DELETE FROM dialer_windows WHERE project_id = p_project AND window_key = w.window_key;
        END;
    END FOR;
    FOR kinds IN (SELECT 'fresh' AS kind UNION ALL SELECT 'scheduled' UNION ALL SELECT 'redial') DO
        CALL dialer_call_windows(p_project, kinds.kind, p_now);
        FOR k IN (
            SELECT f.window_key, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                dialer_opening(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                    p_now) AS opening
            FROM dialer_windows_found f
            STRAIGHT_JOIN dialer_clients c ON c.id = f.case_id
            WHERE NOT f.is_known
        ) DO
            BEGIN
                DECLARE EXIT HANDLER FOR 1205 BEGIN END;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                INSERT IGNORE INTO dialer_windows (
                    project_id, window_key, is_open, minutes, opens_at, detail, evaluated_at, changes_at, rules)
                VALUES (
                    p_project, k.window_key, json_value(k.opening, '$.is_open'), json_value(k.opening, '$.minutes'),
                    IF(json_value(k.opening, '$.is_open'), NULL, dialer_open_at(p_project, k.utc, k.allowed_start,
                        k.allowed_stop, k.zones, k.region, k.number_region, p_now)),
                    json_value(k.opening, '$.detail'), p_now, json_value(k.opening, '$.changes_at'), v_rules);
            END;
        END FOR;
    END FOR;
END
