-- Trigger, AFTER UPDATE ON dialer_clients, once per row that was brought back, promised or given another window: wake
-- the workers. Equal notifications from one transaction arrive as one.
CREATE OR REPLACE FUNCTION dialer_clients_after_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake(p.project_id)
    FROM dialer_projects p
    WHERE p.project_id = NEW.project_id
      AND p.hungry
      AND p.wanted = 'start';
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_clients_after_update
AFTER UPDATE OF project_id, phone_number, utc, used, allowed_start, allowed_stop, deferred_time, deferred_done
ON dialer_clients
FOR EACH ROW
WHEN (NOT NEW.used AND NOT NEW.checked AND NEW.last_attempt_id IS NOT DISTINCT FROM OLD.last_attempt_id)
EXECUTE FUNCTION dialer_clients_after_update()
