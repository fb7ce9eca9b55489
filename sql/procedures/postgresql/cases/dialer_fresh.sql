-- dialer_fresh: waiting cases without a promise or a redial; the predicate of the dialer_clients_fresh indexes.
CREATE OR REPLACE VIEW dialer_fresh AS
SELECT id, project_id, window_key, phone_number, number, priority, utc, created, not_before_at
FROM dialer_clients
WHERE NOT used AND NOT checked AND held_for IS NULL AND (deferred_time IS NULL OR deferred_done)
