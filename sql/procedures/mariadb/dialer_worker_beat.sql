-- dialer_worker_beat(p_worker, p_lease_seconds) -> bool
-- Renew a worker's lease and those of the Asterisks that it owns. False: it was declared dead meanwhile; it
-- has to stop dialling and register anew.
CREATE OR REPLACE PROCEDURE dialer_worker_beat(p_worker bigint, p_lease_seconds decimal(20, 6))
BEGIN
    DECLARE v_id bigint;
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
    SELECT w.id INTO v_id FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL FOR UPDATE;
    IF v_id IS NOT NULL THEN
        UPDATE dialer_workers SET lease_until = sysdate(6) + INTERVAL p_lease_seconds SECOND WHERE id = p_worker;
        UPDATE dialer_asterisks
        SET lease_until = sysdate(6) + INTERVAL p_lease_seconds SECOND
        WHERE worker_id = p_worker;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_id IS NOT NULL AS dialer_worker_beat;
END
