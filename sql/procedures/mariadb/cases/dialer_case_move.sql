-- dialer_case_move(p_attempt, p_now) -> place
-- To which of its further numbers (dialer_case_numbers) a case moves on after an attempt, at once and without using up a
-- redial; NULL: to none. It moves after outcomes with redial, after INVALID, and whatever the outcome if the agent's code
-- says wrong number (dialer_wrong_number); to the next place of which dialer_dnc says nothing (dialer_free_place), as
-- long as dialer_params.most_attempts allows another call. For dialer_case_settle, dialer_dispose and dialer_away_end.
-- Only the cap needs the ledger; if somebody has locked it as a whole, that is an error at once.
CREATE OR REPLACE PROCEDURE dialer_case_move(p_attempt bigint, p_now datetime(6), OUT p_place int)
work: BEGIN
    -- A procedure, as dialer_retry is.
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_place int;
    DECLARE v_outcome varchar(20);
    DECLARE v_disposition varchar(400);
    DECLARE v_found bigint;
    DECLARE v_most int;
    DECLARE v_calls bigint;
    SET p_place = NULL;
    SELECT a.case_id, a.project_id, a.case_inserted_at, a.number_place, a.outcome, a.disposition
    INTO v_case, v_project, v_inserted, v_place, v_outcome, v_disposition
    FROM dialer_calls a WHERE a.id = p_attempt;
    IF v_case IS NULL THEN
        SELECT a.case_id, a.project_id, a.case_inserted_at, a.number_place, a.outcome, a.disposition
        INTO v_case, v_project, v_inserted, v_place, v_outcome, v_disposition
        FROM dialer_attempts a WHERE a.id = p_attempt;
    END IF;
    SELECT count(*) INTO v_found
    FROM dialer_case_numbers f WHERE f.case_id = v_case AND f.place > v_place AND f.case_inserted_at = v_inserted;
    IF v_found = 0 THEN
        LEAVE work;
    END IF;
    SELECT count(*) INTO v_found
    FROM dialer_outcomes o
    WHERE o.outcome = v_outcome AND o.uses_attempt
      AND (o.redial OR o.outcome = 'INVALID' OR dialer_wrong_number(v_disposition));
    IF v_found = 0 THEN
        LEAVE work;
    END IF;
    SELECT p.most_attempts INTO v_most FROM dialer_params p WHERE p.project_id = v_project;
    IF v_most IS NOT NULL THEN
        SET STATEMENT lock_wait_timeout = 0 FOR
        SELECT dialer_attempt_count(p_attempt) INTO v_calls;
        IF v_calls >= v_most THEN
            LEAVE work;
        END IF;
    END IF;
    SELECT dialer_free_place(v_case, v_place, p_now) INTO p_place;
END
