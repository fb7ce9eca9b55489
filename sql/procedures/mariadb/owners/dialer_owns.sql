-- dialer_owns(p_worker, p_asterisk, p_epoch) -> bool
-- Is p_worker the owner of p_asterisk, by the database's clock once the lock is held? Locks the ownership
-- until the transaction ends: no other worker can take the Asterisk over in between (dialer_asterisk_own
-- locks FOR UPDATE). A beat does not have to wait: it changes no key.
CREATE OR REPLACE PROCEDURE dialer_owns(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    OUT p_owns tinyint(1)
)
BEGIN
    DECLARE v_asterisk varchar(400);
    -- The lock is on a table of its own: a shared lock on dialer_asterisks would keep the beat waiting.
    SELECT o.asterisk INTO v_asterisk FROM dialer_ownerships o WHERE o.asterisk = p_asterisk LOCK IN SHARE MODE;
    SELECT coalesce(max(dialer_lease_alive(a.lease_until, a.lease_seconds)), false) INTO p_owns
    FROM dialer_asterisks a
    WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch;
END
