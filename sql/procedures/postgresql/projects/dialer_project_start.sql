-- dialer_project_start(p_project) -> project_id, wanted, state, reason, since_at, until_at, changed, calls_up
-- Start a project; starting it twice changes nothing. No row: there is no such project.
CREATE OR REPLACE FUNCTION dialer_project_start(p_project varchar)
RETURNS TABLE (
    project_id varchar,
    wanted varchar,
    state varchar,
    reason varchar,
    since_at timestamptz,
    until_at timestamptz,
    changed bool,
    calls_up bigint
)
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_changed bool;
BEGIN
    INSERT INTO dialer_projects (project_id)
    SELECT r.project_id FROM dialer_rules r WHERE r.project_id = p_project
    ON CONFLICT DO NOTHING;
    UPDATE dialer_projects j
    SET wanted = 'start', state = 'running', since_at = now(), until_at = NULL, hungry = true
    WHERE j.project_id = p_project
      AND j.wanted = 'stop'
      AND EXISTS (SELECT FROM dialer_rules r WHERE r.project_id = p_project);
    v_changed := FOUND;
    IF v_changed THEN
        DELETE FROM dialer_fitness f WHERE f.project_id = p_project;
        PERFORM dialer_wake(p_project);
    END IF;
    RETURN QUERY
    SELECT s.project_id, s.wanted, s.state, s.reason, s.since_at, s.until_at, v_changed, s.calls_up
    FROM dialer_project_states s
    JOIN dialer_rules r ON r.project_id = s.project_id
    WHERE s.project_id = p_project;
END
$$
