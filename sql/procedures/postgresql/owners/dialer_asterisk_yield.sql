-- dialer_asterisk_yield(p_worker, p_asterisk, p_epoch, p_reason) -> bool
-- The owner cannot reach its Asterisk and leaves it to a worker that may reach it: cases claimed there and not dialled
-- are given back, and the other workers are woken. False: no other worker is alive, or p_worker is no longer the owner;
-- then nothing has changed.
CREATE OR REPLACE FUNCTION dialer_asterisk_yield(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_reason varchar
)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM dialer_workers w
        WHERE w.id <> p_worker AND w.stopped_at IS NULL AND dialer_lease_alive(w.lease_until, w.lease_seconds))
    THEN
        RETURN false;
    END IF;
    -- Waits for what this worker still has under way (dialer_owns).
    PERFORM FROM dialer_asterisks a
    WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE dialer_asterisks
    SET worker_id = NULL, lease_until = NULL, reason = p_reason,
        since_at = CASE WHEN state = 'down' THEN since_at ELSE clock_timestamp() END,
        state = 'down'
    WHERE asterisk = p_asterisk;
    PERFORM dialer_claims_free(ARRAY(
        SELECT l.case_id FROM dialer_claims l
        WHERE l.worker_id = p_worker AND l.asterisk = p_asterisk AND l.attempt_id IS NULL));
    PERFORM dialer_wake('');
    RETURN true;
END
$$
