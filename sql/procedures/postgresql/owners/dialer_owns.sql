-- dialer_owns(p_worker, p_asterisk, p_epoch) -> bool
-- Is p_worker the owner of p_asterisk, by the database's clock once the lock is held? Locks the ownership
-- until the transaction ends: no other worker can take the Asterisk over in between (dialer_asterisk_own
-- locks FOR UPDATE). A beat does not have to wait: it changes no key.
CREATE OR REPLACE FUNCTION dialer_owns(p_worker bigint, p_asterisk varchar, p_epoch bigint)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_lease timestamptz;
    v_seconds numeric;
BEGIN
    SELECT a.lease_until, a.lease_seconds INTO v_lease, v_seconds
    FROM dialer_asterisks a
    WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch
    FOR KEY SHARE;
    RETURN dialer_lease_alive(v_lease, v_seconds);
END
$$
