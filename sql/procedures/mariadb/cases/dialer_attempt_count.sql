-- dialer_attempt_count(p_attempt) -> how many
-- The attempts that this attempt's case has used up since it was fresh or brought back, up to this one, which counts
-- whatever it did: what dialer_params.most_attempts is compared with.
CREATE OR REPLACE FUNCTION dialer_attempt_count(p_attempt bigint)
RETURNS bigint
READS SQL DATA
BEGIN
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_brought_back int;
    DECLARE v_ended bigint;
    DECLARE v_held bigint;
    SELECT m.case_id, m.project_id, m.phone_number, m.case_inserted_at, m.brought_back
    INTO v_case, v_project, v_number, v_inserted, v_brought_back
    FROM dialer_stat_attempt m WHERE m.attempt_id = p_attempt;
    -- Both tables by hand: not every server looks into the view by the index.
    SELECT count(*) INTO v_ended
    FROM dialer_attempts a
    JOIN dialer_outcomes o ON o.outcome = a.outcome AND o.uses_attempt
    WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.id <= p_attempt
      AND NOT a.effect <=> 'back';
    SELECT count(*) INTO v_held
    FROM dialer_calls a
    JOIN dialer_outcomes o ON o.outcome = a.outcome AND o.uses_attempt
    WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.id <= p_attempt
      AND NOT a.effect <=> 'back';
    RETURN v_ended + v_held;
END
