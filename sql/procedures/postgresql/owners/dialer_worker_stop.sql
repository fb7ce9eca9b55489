-- dialer_worker_stop(p_worker)
-- Sign a worker off: it no longer owns anything, and the cases it had claimed and not dialled are given back.
CREATE OR REPLACE FUNCTION dialer_worker_stop(p_worker bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE dialer_workers
    SET stopped_at = clock_timestamp()
    WHERE id = p_worker AND stopped_at IS NULL;
    -- Waits for what this worker still has under way (dialer_owns).
    PERFORM FROM dialer_asterisks WHERE worker_id = p_worker ORDER BY asterisk FOR UPDATE;
    UPDATE dialer_asterisks
    SET worker_id = NULL, lease_until = NULL, state = 'down', reason = 'its worker has signed off',
        since_at = clock_timestamp()
    WHERE worker_id = p_worker;
    PERFORM dialer_claims_free(ARRAY(
        SELECT case_id FROM dialer_claims WHERE worker_id = p_worker AND attempt_id IS NULL));
    PERFORM dialer_wake('');
END
$$
