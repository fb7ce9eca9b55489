-- dialer_asterisk_yield(p_worker, p_asterisk, p_epoch, p_reason) -> bool
-- The owner cannot reach its Asterisk and leaves it to a worker that may reach it: cases claimed there and not dialled
-- are given back, and the other workers are woken. False: no other worker is alive, or p_worker is no longer the owner;
-- then nothing has changed.
CREATE OR REPLACE PROCEDURE dialer_asterisk_yield(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_reason varchar(1000)
)
BEGIN
    DECLARE v_asterisk varchar(400);
    DECLARE v_cases longtext;
    DECLARE v_freed bigint;
    DECLARE v_result tinyint(1) DEFAULT false;
    DECLARE v_others int;
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
    work: BEGIN
        -- Not IF EXISTS, which would lock the rows of the others.
        SELECT count(*) INTO v_others FROM dialer_workers w
        WHERE w.id <> p_worker AND w.stopped_at IS NULL AND dialer_lease_alive(w.lease_until, w.lease_seconds);
        IF v_others = 0 THEN
            LEAVE work;
        END IF;
        -- Waits for what this worker still has under way (dialer_owns).
        SELECT o.asterisk INTO v_asterisk FROM dialer_ownerships o WHERE o.asterisk = p_asterisk FOR UPDATE;
        SET v_asterisk = NULL;
        SELECT a.asterisk INTO v_asterisk FROM dialer_asterisks a
        WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch
        FOR UPDATE;
        IF v_asterisk IS NULL THEN
            LEAVE work;
        END IF;
        UPDATE dialer_asterisks
        SET worker_id = NULL, lease_until = NULL, reason = p_reason,
            since_at = CASE WHEN state = 'down' THEN since_at ELSE sysdate(6) END,
            state = 'down'
        WHERE asterisk = p_asterisk;
        SELECT group_concat(l.case_id) INTO v_cases FROM dialer_claims l
        WHERE l.worker_id = p_worker AND l.asterisk = p_asterisk AND l.attempt_id IS NULL;
        CALL dialer_claims_free(v_cases, v_freed);
        CALL dialer_wake('');
        SET v_result = true;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_result AS dialer_asterisk_yield;
END
