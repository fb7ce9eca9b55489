-- dialer_project_stop(p_project) -> project_id, wanted, state, reason, since_at, until_at, changed, calls_up
-- Stop a project. Takes the same lock as begin: once this is committed, no attempt begins. Calls that are up end by
-- themselves; calls_up says how many there are. Cases claimed and not dialled are given back here, so that no worker is
-- needed for it.
CREATE OR REPLACE FUNCTION dialer_project_stop(p_project varchar)
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
    UPDATE dialer_projects j
    SET wanted = 'stop', state = 'stopped', since_at = now(), until_at = NULL
    WHERE j.project_id = p_project AND j.wanted = 'start';
    v_changed := FOUND;
    IF v_changed THEN
        PERFORM dialer_claims_free(ARRAY(
            SELECT l.case_id FROM dialer_claims l WHERE l.project_id = p_project AND l.attempt_id IS NULL));
        PERFORM dialer_wake(p_project);
    END IF;
    RETURN QUERY
    SELECT s.project_id, s.wanted, s.state, s.reason, s.since_at, s.until_at, v_changed, s.calls_up
    FROM dialer_project_states s
    WHERE s.project_id = p_project;
END
$$
