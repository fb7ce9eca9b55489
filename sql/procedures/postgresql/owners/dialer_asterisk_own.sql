-- dialer_asterisk_own(p_worker, p_asterisk, p_lease_seconds) -> epoch, NULL when another worker owns it
-- Take an Asterisk that nobody owns (never owned, given back, or its owner's lease has run out) under a new epoch; the
-- owner itself gets its own epoch back. From now on everything done under an older epoch is refused. A worker whose own
-- lease is over cannot take one: its request may have been on its way while the database stood still, and then the
-- previous owner comes first, since only it knows how the calls of that time ended.
CREATE OR REPLACE FUNCTION dialer_asterisk_own(p_worker bigint, p_asterisk varchar, p_lease_seconds numeric)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_worker dialer_workers;
    v_asterisk dialer_asterisks;
BEGIN
    SELECT * INTO v_worker FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO dialer_asterisks (asterisk) VALUES (p_asterisk) ON CONFLICT DO NOTHING;
    SELECT * INTO v_asterisk FROM dialer_asterisks a WHERE a.asterisk = p_asterisk FOR UPDATE;
    IF v_asterisk.worker_id IS NOT NULL AND dialer_lease_alive(v_asterisk.lease_until, v_asterisk.lease_seconds) THEN
        RETURN CASE WHEN v_asterisk.worker_id = p_worker THEN v_asterisk.epoch END;
    END IF;
    IF NOT dialer_lease_alive(v_worker.lease_until, v_worker.lease_seconds) THEN
        RETURN NULL;
    END IF;
    UPDATE dialer_asterisks a
    SET worker_id = p_worker,
        epoch = a.epoch + 1,
        lease_until = clock_timestamp() + p_lease_seconds * interval '1 second',
        lease_seconds = p_lease_seconds,
        state = 'down',
        reason = 'its worker is connecting',
        since_at = clock_timestamp()
    WHERE a.asterisk = p_asterisk;
    RETURN v_asterisk.epoch + 1;
END
$$
