-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: a project exists as soon as its parameters do;
-- a change of parameters lets a failing project be tried again at once, and wakes the workers.
CREATE OR REPLACE PROCEDURE dialer_params_after_write(p_old_project varchar(400), p_new_project varchar(400))
MODIFIES SQL DATA
BEGIN
    IF p_new_project IS NULL THEN
        CALL dialer_wake(p_old_project);
    ELSE
        -- Only for a new name: an INSERT that finds its row there already keeps a lock on it.
        IF NOT p_new_project <=> p_old_project THEN
            INSERT IGNORE INTO dialer_projects (project_id) VALUES (p_new_project);
        END IF;
        UPDATE dialer_projects SET until_at = NULL WHERE project_id = p_new_project AND state = 'failing';
        CALL dialer_wake(p_new_project);
    END IF;
END
