-- Trigger, AFTER INSERT ON dialer_clients, once per statement: wake the workers of the projects that wait
-- for cases. Unconditional notifications would cut parallel single-row INSERTs to a third or less, because
-- NOTIFY holds a lock of the whole database over the commit. A worker that finds too few cases marks the project as
-- hungry and then looks once more, so that no INSERT is missed in between.
CREATE OR REPLACE FUNCTION dialer_clients_after_insert()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake(p.project_id)
    FROM dialer_projects p
    WHERE p.hungry
      AND p.wanted = 'start'
      AND p.project_id IN (SELECT DISTINCT n.project_id FROM new_cases n);
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_clients_after_insert AFTER INSERT ON dialer_clients
REFERENCING NEW TABLE AS new_cases
FOR EACH STATEMENT EXECUTE FUNCTION dialer_clients_after_insert()
