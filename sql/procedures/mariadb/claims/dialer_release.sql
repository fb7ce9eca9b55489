-- dialer_release(p_worker, p_asterisk, p_project) -> how many
-- A worker gives back the cases that it has claimed on an Asterisk and not dialled: those of one project, or all
-- (NULL).
CREATE OR REPLACE PROCEDURE dialer_release(p_worker bigint, p_asterisk varchar(400), p_project varchar(400))
BEGIN
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
    SELECT group_concat(l.case_id) INTO v_cases FROM dialer_claims l
    WHERE l.worker_id = p_worker
      AND l.asterisk = p_asterisk
      AND l.attempt_id IS NULL
      AND (p_project IS NULL OR l.project_id = p_project);
    CALL dialer_claims_free(v_cases, v_freed);
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_freed AS dialer_release;
END
