-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: a project exists as soon as its parameters do;
-- a change of parameters lets a failing project be tried again at once, and wakes the workers.
CREATE OR REPLACE FUNCTION dialer_params_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM dialer_wake(OLD.project_id);
        RETURN NULL;
    END IF;
    INSERT INTO dialer_projects (project_id) VALUES (NEW.project_id) ON CONFLICT DO NOTHING;
    UPDATE dialer_projects
    SET until_at = NULL
    WHERE project_id = NEW.project_id AND state = 'failing';
    PERFORM dialer_wake(NEW.project_id);
    RETURN NULL;
END
$$
