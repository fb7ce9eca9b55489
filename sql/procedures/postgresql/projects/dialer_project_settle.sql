-- dialer_project_settle(p_project, p_hungry, p_slow, p_now)
-- Write what a claim has found. p_hungry: fewer cases than could be dialled; p_slow: what kept it from waiting cases (a
-- sentence for dialer_warnings), or NULL. State: running while something is in hand or waits to be claimed, idle until
-- the next case is due, finished when nothing is left. The caller holds the project's row.
CREATE OR REPLACE FUNCTION dialer_project_settle(
    p_project varchar,
    p_hungry bool,
    p_slow varchar,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_until timestamptz;
    v_in_hand bool;
    v_state varchar := 'running';
BEGIN
    IF p_hungry THEN
        -- The order matters: otherwise a call that ends in between would leave its case in neither of the two.
        v_in_hand := EXISTS (SELECT FROM dialer_claims WHERE project_id = p_project);
        v_until := dialer_project_until(p_project, p_now);
        IF NOT v_in_hand AND (v_until IS NULL OR v_until > p_now) THEN
            v_state := CASE WHEN v_until IS NULL THEN 'finished' ELSE 'idle' END;
        END IF;
    END IF;
    UPDATE dialer_projects
    SET hungry = p_hungry,
        claims_slow = p_slow,
        claims_slow_at = CASE WHEN p_slow IS NOT NULL THEN coalesce(claims_slow_at, p_now) END,
        until_at = v_until,
        since_at = CASE WHEN state = v_state THEN since_at ELSE p_now END,
        state = v_state
    WHERE project_id = p_project
      AND (hungry, state, until_at, claims_slow) IS DISTINCT FROM (p_hungry, v_state, v_until, p_slow);
END
$$
