-- dialer_worker_beat(p_worker, p_lease_seconds) -> bool
-- Renew a worker's lease and those of the Asterisks that it owns. False: it was declared dead meanwhile; it
-- has to stop dialling and register anew.
CREATE OR REPLACE FUNCTION dialer_worker_beat(p_worker bigint, p_lease_seconds numeric)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE dialer_workers
    SET lease_until = clock_timestamp() + p_lease_seconds * interval '1 second'
    WHERE id = p_worker;
    UPDATE dialer_asterisks
    SET lease_until = clock_timestamp() + p_lease_seconds * interval '1 second'
    WHERE worker_id = p_worker;
    RETURN true;
END
$$
