-- dialer_worker_start(p_name, p_lease_seconds) -> worker_id
-- Register a worker. Its lease, like every lease, is by the database's clock.
CREATE OR REPLACE FUNCTION dialer_worker_start(p_name varchar, p_lease_seconds numeric)
RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    INSERT INTO dialer_workers (name, started_at, lease_until, lease_seconds)
    VALUES (p_name, clock_timestamp(), clock_timestamp() + p_lease_seconds * interval '1 second', p_lease_seconds)
    RETURNING id
$$
