-- dialer_worker_beat(p_worker, p_lease_seconds) -> bool
-- Renew a worker's lease and those of the Asterisks that it owns. False: it was declared dead meanwhile; it has to stop
-- dialling and register anew. It does not wait for a row that somebody's transaction holds: that lease runs out, the
-- others are renewed.
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
    SELECT w.id INTO v_id FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL;
    IF v_id IS NOT NULL THEN
        BEGIN
            DECLARE EXIT HANDLER FOR 1205 BEGIN END;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            UPDATE dialer_workers
            SET lease_until = sysdate(6) + INTERVAL p_lease_seconds SECOND, lease_seconds = p_lease_seconds
            WHERE id = p_worker AND stopped_at IS NULL;
        END;
        FOR a IN (SELECT o.asterisk FROM dialer_asterisks o WHERE o.worker_id = p_worker ORDER BY o.asterisk) DO
            BEGIN
                DECLARE EXIT HANDLER FOR 1205 BEGIN END;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_asterisks
                SET lease_until = sysdate(6) + INTERVAL p_lease_seconds SECOND, lease_seconds = p_lease_seconds
                WHERE asterisk = a.asterisk AND worker_id = p_worker;
            END;
        END FOR;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_id IS NOT NULL AS dialer_worker_beat;
END
