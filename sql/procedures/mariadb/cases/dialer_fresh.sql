-- dialer_fresh: waiting cases that nothing was promised to; the predicate of the dialer_clients_fresh indexes.
CREATE OR REPLACE VIEW dialer_fresh AS
SELECT id, project_id, window_key, phone_number, priority, utc, created, not_before_at
FROM dialer_clients
WHERE waits_as = 'fresh'
