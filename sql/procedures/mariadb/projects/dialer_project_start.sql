-- dialer_project_start(p_project) -> project_id, wanted, state, reason, since_at, until_at, changed, calls_up
-- Start a project; starting it twice changes nothing. No row: there is no such project.
CREATE OR REPLACE PROCEDURE dialer_project_start(p_project varchar(400))
BEGIN
    DECLARE v_changed tinyint(1) DEFAULT false;
    DECLARE v_known bigint;
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        IF v_own THEN
            ROLLBACK;
        END IF;
        RESIGNAL;
    END;
    -- Inside somebody's transaction it is a part of that one.
    IF v_own THEN
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        START TRANSACTION;
    END IF;
    SELECT count(*) INTO v_known FROM dialer_rules r WHERE r.project_id = p_project;
    IF v_known > 0 THEN
        INSERT IGNORE INTO dialer_projects (project_id) VALUES (p_project);
        UPDATE dialer_projects
        SET wanted = 'start', state = 'running', since_at = now(6), until_at = NULL, hungry = true
        WHERE project_id = p_project AND wanted = 'stop';
        SET v_changed = row_count() > 0;
    END IF;
    IF v_changed THEN
        DELETE FROM dialer_fitness WHERE project_id = p_project;
        CALL dialer_wake(p_project);
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT s.project_id, s.wanted, s.state, s.reason, s.since_at, s.until_at, v_changed AS changed, s.calls_up
    FROM dialer_project_states s
    JOIN dialer_rules r ON r.project_id = s.project_id
    WHERE s.project_id = p_project;
END
