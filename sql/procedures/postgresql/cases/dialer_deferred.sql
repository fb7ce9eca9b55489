-- dialer_deferred: waiting cases with a callback or a redial ahead; the predicate of dialer_clients_deferred.
CREATE OR REPLACE VIEW dialer_deferred AS
SELECT id, project_id, window_key, phone_number, number, priority, utc, deferred_kind, deferred_time, not_before_at
FROM dialer_clients
WHERE NOT used AND NOT checked AND held_for IS NULL AND deferred_time IS NOT NULL AND NOT deferred_done
