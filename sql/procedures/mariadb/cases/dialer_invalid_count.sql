-- dialer_invalid_count(p_attempt) -> how many
-- The attempts that ended INVALID on this attempt's number of its case since it was fresh or brought back, this attempt
-- included; not those of another case that had the same id before. For dialer_case_settle and dialer_trunk_trip.
CREATE OR REPLACE FUNCTION dialer_invalid_count(p_attempt bigint)
RETURNS bigint
READS SQL DATA
BEGIN
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_brought_back int;
    DECLARE v_place int;
    DECLARE v_ended bigint;
    DECLARE v_held bigint;
    SELECT m.case_id, m.project_id, m.phone_number, m.case_inserted_at, m.brought_back, m.number_place
    INTO v_case, v_project, v_number, v_inserted, v_brought_back, v_place
    FROM dialer_stat_attempt m WHERE m.attempt_id = p_attempt;
    SELECT count(*) INTO v_ended FROM dialer_attempts a
    WHERE a.case_id = v_case AND a.outcome = 'INVALID' AND a.project_id = v_project AND a.phone_number = v_number
      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back
      AND a.number_place = v_place;
    SELECT count(*) INTO v_held FROM dialer_calls a
    WHERE a.case_id = v_case AND a.outcome = 'INVALID' AND a.project_id = v_project AND a.phone_number = v_number
      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back
      AND a.number_place = v_place;
    RETURN v_ended + v_held;
END
