-- dialer_held: cases that would wait if no rule kept them back; the predicate of dialer_clients_held (MariaDB:
-- waits_for).
CREATE OR REPLACE VIEW dialer_held AS
SELECT id, project_id, window_key, phone_number, number, priority, utc, created, deferred_kind, deferred_time, deferred_done,
    not_before_at, held_for, held_until
FROM dialer_clients
WHERE NOT used AND NOT checked AND held_for IS NOT NULL
