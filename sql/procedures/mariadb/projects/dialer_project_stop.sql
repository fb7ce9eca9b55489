-- dialer_project_stop(p_project) -> project_id, wanted, state, reason, since_at, until_at, changed, calls_up
-- Stop a project. Takes the same lock as begin: once this is committed, no attempt begins. Calls that are up end by
-- themselves; calls_up says how many there are. Cases claimed and not dialled are given back here, so that no worker is
-- needed for it.
CREATE OR REPLACE PROCEDURE dialer_project_stop(p_project varchar(400))
BEGIN
    DECLARE v_changed tinyint(1) DEFAULT false;
    DECLARE v_cases longtext;
    DECLARE v_freed bigint;
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
    UPDATE dialer_projects
    SET wanted = 'stop', state = 'stopped', since_at = now(6), until_at = NULL
    WHERE project_id = p_project AND wanted = 'start';
    SET v_changed = row_count() > 0;
    IF v_changed THEN
        SELECT group_concat(l.case_id) INTO v_cases
        FROM dialer_claims l WHERE l.project_id = p_project AND l.attempt_id IS NULL;
        CALL dialer_claims_free(v_cases, v_freed);
        CALL dialer_wake(p_project);
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT s.project_id, s.wanted, s.state, s.reason, s.since_at, s.until_at, v_changed AS changed, s.calls_up
    FROM dialer_project_states s
    WHERE s.project_id = p_project;
END
