-- dialer_worker_beat(p_worker, p_lease_seconds) -> bool
-- Renew a worker's lease and those of the Asterisks that it owns. False: it was declared dead meanwhile; it has to stop
-- dialling and register anew. It does not wait for a row that somebody's transaction holds: that lease runs out, the
-- others are renewed.
CREATE OR REPLACE FUNCTION dialer_worker_beat(p_worker bigint, p_lease_seconds numeric)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM dialer_workers w WHERE w.id = p_worker AND w.stopped_at IS NULL) THEN
        RETURN false;
    END IF;
    UPDATE dialer_workers
    SET lease_until = clock_timestamp() + p_lease_seconds * interval '1 second', lease_seconds = p_lease_seconds
    WHERE id IN (
        SELECT w.id FROM dialer_workers w
        WHERE w.id = p_worker AND w.stopped_at IS NULL FOR NO KEY UPDATE SKIP LOCKED);
    UPDATE dialer_asterisks
    SET lease_until = clock_timestamp() + p_lease_seconds * interval '1 second', lease_seconds = p_lease_seconds
    WHERE asterisk IN (
        SELECT a.asterisk FROM dialer_asterisks a WHERE a.worker_id = p_worker FOR NO KEY UPDATE SKIP LOCKED);
    RETURN true;
END
$$
