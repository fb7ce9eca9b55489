-- dialer_abandon_ledger(p_project, p_now) -> window, since_at, connected, abandoned, lost
-- The figures for a project's abandon target, in two rows: its last abandon_hours ('hours') and its last abandon_days
-- ('days'). The rate is abandoned / (connected + abandoned); lost is not part of it: nobody knows whether a person had
-- answered. No row: there is no such project.
CREATE OR REPLACE PROCEDURE dialer_abandon_ledger(p_project varchar(400), p_now datetime(6))
READS SQL DATA
BEGIN
    DECLARE v_now datetime(6);
    SELECT dialer_instant(p_now) INTO v_now;
    SELECT w.name AS `window`, w.since_at,
        dialer_abandon_count(w.project_id, 'connected', w.since_at) AS connected,
        dialer_abandon_count(w.project_id, 'abandoned', w.since_at) AS abandoned,
        dialer_abandon_count(w.project_id, 'lost', w.since_at) AS lost
    FROM (
        SELECT r.project_id, 'hours' AS name, v_now - INTERVAL r.abandon_hours HOUR AS since_at
        FROM dialer_rules r WHERE r.project_id = p_project
        UNION ALL
        SELECT r.project_id, 'days', v_now - INTERVAL r.abandon_days DAY
        FROM dialer_rules r WHERE r.project_id = p_project
    ) w
    ORDER BY w.name DESC;
END
