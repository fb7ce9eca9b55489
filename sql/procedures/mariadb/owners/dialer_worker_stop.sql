-- dialer_worker_stop(p_worker)
-- Sign a worker off: it no longer owns anything, and the cases it had claimed and not dialled are given back.
CREATE OR REPLACE PROCEDURE dialer_worker_stop(p_worker bigint)
BEGIN
    DECLARE v_asterisk varchar(400);
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
    UPDATE dialer_workers SET stopped_at = sysdate(6) WHERE id = p_worker AND stopped_at IS NULL;
    -- Waits for what this worker still has under way (dialer_owns).
    FOR a IN (SELECT s.asterisk FROM dialer_asterisks s WHERE s.worker_id = p_worker ORDER BY s.asterisk) DO
        SELECT o.asterisk INTO v_asterisk FROM dialer_ownerships o WHERE o.asterisk = a.asterisk FOR UPDATE;
        UPDATE dialer_asterisks
        SET worker_id = NULL, lease_until = NULL, state = 'down', reason = 'its worker has signed off',
            since_at = sysdate(6)
        WHERE asterisk = a.asterisk AND worker_id = p_worker;
    END FOR;
    SELECT group_concat(l.case_id) INTO v_cases
    FROM dialer_claims l WHERE l.worker_id = p_worker AND l.attempt_id IS NULL;
    CALL dialer_claims_free(v_cases, v_freed);
    CALL dialer_wake('');
    IF v_own THEN
        COMMIT;
    END IF;
END
