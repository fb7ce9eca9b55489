-- dialer_project_count(p_project, p_now)
-- Count the waiting cases for dialer_stat_project; reads each of them, so a worker does it only now and then.
CREATE OR REPLACE PROCEDURE dialer_project_count(p_project varchar(400), p_now datetime(6))
BEGIN
    DECLARE v_waiting bigint;
    DECLARE v_now datetime(6);
    SELECT count(*) INTO v_waiting
    FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
    WHERE c.project_id = p_project AND c.waits_as IN ('fresh', 'scheduled', 'redial');
    SELECT v_waiting + count(*) INTO v_waiting
    FROM dialer_clients c FORCE INDEX (dialer_clients_held)
    WHERE c.project_id = p_project AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause');
    SELECT dialer_instant(p_now) INTO v_now;
    BEGIN
        -- Skip it if somebody holds the row: the next count will do.
        DECLARE EXIT HANDLER FOR 1205 BEGIN END;
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        UPDATE dialer_projects SET cases_waiting = v_waiting, counted_at = v_now WHERE project_id = p_project;
    END;
END
