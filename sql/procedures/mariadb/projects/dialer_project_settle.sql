-- dialer_project_settle(p_project, p_hungry, p_slow, p_now)
-- Write what a claim has found. p_hungry: fewer cases than could be dialled; p_slow: what kept it from waiting cases (a
-- sentence for dialer_warnings), or NULL. State: running while something is in hand or waits to be claimed, idle until
-- the next case is due, finished when nothing is left. The caller holds the project's row.
CREATE OR REPLACE PROCEDURE dialer_project_settle(
    p_project varchar(400),
    p_hungry tinyint(1),
    p_slow varchar(400),
    p_now datetime(6)
)
BEGIN
    DECLARE v_until datetime(6);
    DECLARE v_in_hand bigint;
    DECLARE v_state varchar(20) DEFAULT 'running';
    IF p_hungry THEN
        -- The order matters: otherwise a call that ends in between would leave its case in neither of the two.
        SELECT count(*) INTO v_in_hand FROM dialer_claims l WHERE l.project_id = p_project;
        SELECT dialer_project_until(p_project, p_now) INTO v_until;
        IF v_in_hand = 0 AND (v_until IS NULL OR v_until > p_now) THEN
            SET v_state = IF(v_until IS NULL, 'finished', 'idle');
        END IF;
    END IF;
    UPDATE dialer_projects
    SET since_at = IF(state = v_state, since_at, p_now),
        hungry = p_hungry,
        claims_slow = p_slow,
        claims_slow_at = IF(p_slow IS NOT NULL, coalesce(claims_slow_at, p_now), NULL),
        until_at = v_until,
        state = v_state
    WHERE project_id = p_project
      AND NOT (hungry = p_hungry AND state = v_state AND until_at <=> v_until
        AND claims_slow <=> p_slow);
END
