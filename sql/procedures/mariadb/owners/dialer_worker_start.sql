-- dialer_worker_start(p_name, p_lease_seconds) -> worker_id
-- Register a worker. Its lease, like every lease, is by the database's clock.
CREATE OR REPLACE PROCEDURE dialer_worker_start(p_name varchar(400), p_lease_seconds decimal(20, 6))
BEGIN
    INSERT INTO dialer_workers (name, started_at, lease_until, lease_seconds)
    VALUES (p_name, sysdate(6), sysdate(6) + INTERVAL p_lease_seconds SECOND, p_lease_seconds);
    SELECT last_insert_id() AS dialer_worker_start;
END
