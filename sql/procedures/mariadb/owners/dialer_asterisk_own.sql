-- dialer_asterisk_own(p_worker, p_asterisk, p_lease_seconds) -> epoch, NULL when another worker owns it
-- Take an Asterisk that nobody owns (never owned, given back, or its owner's lease has run out) under a new epoch; the
-- owner itself gets its own epoch back. From now on everything done under an older epoch is refused. A worker whose own
-- lease is over cannot take one: its request may have been on its way while the database stood still, and then the
-- previous owner comes first, since only it knows how the calls of that time ended.
CREATE OR REPLACE PROCEDURE dialer_asterisk_own(
    p_worker bigint,
    p_asterisk varchar(400),
    p_lease_seconds decimal(20, 6)
)
BEGIN
    DECLARE v_id bigint;
    DECLARE v_until datetime(6);
    DECLARE v_seconds decimal(20, 6);
    DECLARE v_asterisk varchar(400);
    DECLARE v_owner bigint;
    DECLARE v_epoch bigint;
    DECLARE v_alive tinyint(1);
    DECLARE v_result bigint;
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
        SELECT w.id, w.lease_until, w.lease_seconds INTO v_id, v_until, v_seconds
        FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL FOR UPDATE;
        IF v_id IS NULL THEN
            LEAVE work;
        END IF;
        SELECT a.asterisk INTO v_asterisk FROM dialer_asterisks a WHERE a.asterisk = p_asterisk;
        IF v_asterisk IS NULL THEN
            INSERT IGNORE INTO dialer_ownerships (asterisk) VALUES (p_asterisk);
            INSERT IGNORE INTO dialer_asterisks (asterisk) VALUES (p_asterisk);
        END IF;
        SELECT a.worker_id, a.epoch, dialer_lease_alive(a.lease_until, a.lease_seconds) INTO v_owner, v_epoch, v_alive
        FROM dialer_asterisks a WHERE a.asterisk = p_asterisk;
        IF v_owner IS NOT NULL AND v_alive THEN
            SET v_result = IF(v_owner = p_worker, v_epoch, NULL);
            LEAVE work;
        END IF;
        -- Waits for everything under way under the old ownership (dialer_owns).
        SELECT o.asterisk INTO v_asterisk FROM dialer_ownerships o WHERE o.asterisk = p_asterisk FOR UPDATE;
        SELECT a.worker_id, a.epoch, dialer_lease_alive(a.lease_until, a.lease_seconds) INTO v_owner, v_epoch, v_alive
        FROM dialer_asterisks a WHERE a.asterisk = p_asterisk FOR UPDATE;
        IF v_owner IS NOT NULL AND v_alive THEN
            SET v_result = IF(v_owner = p_worker, v_epoch, NULL);
            LEAVE work;
        END IF;
        IF NOT dialer_lease_alive(v_until, v_seconds) THEN
            LEAVE work;
        END IF;
        UPDATE dialer_asterisks
        SET worker_id = p_worker,
            epoch = v_epoch + 1,
            lease_until = sysdate(6) + INTERVAL p_lease_seconds SECOND,
            lease_seconds = p_lease_seconds,
            state = 'down',
            reason = 'its worker is connecting',
            since_at = sysdate(6)
        WHERE asterisk = p_asterisk;
        SET v_result = v_epoch + 1;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_result AS dialer_asterisk_own;
END
