-- dialer_case_move(p_attempt, p_now) -> place
-- To which of its further numbers (dialer_case_numbers) a case moves on after an attempt, at once and without using up a
-- redial; NULL: to none. It moves after outcomes with redial, after INVALID, and whatever the outcome if the agent's code
-- says wrong number (dialer_wrong_number); to the next place of which dialer_dnc says nothing (dialer_free_place), as
-- long as dialer_params.most_attempts allows another call. For dialer_case_settle, dialer_dispose and dialer_away_end.
-- Only the cap needs the ledger; if somebody has locked it as a whole, that is an error at once.
CREATE OR REPLACE FUNCTION dialer_case_move(p_attempt bigint, p_now timestamptz)
RETURNS int
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET lock_timeout = '10ms'
AS $$
DECLARE
    v_attempt record;
    v_most int;
BEGIN
    SELECT a.case_id, a.project_id, a.case_inserted_at, a.number_place, a.outcome, a.disposition INTO v_attempt
    FROM dialer_calls a WHERE a.id = p_attempt;
    IF NOT FOUND THEN
        SELECT a.case_id, a.project_id, a.case_inserted_at, a.number_place, a.outcome, a.disposition INTO v_attempt
        FROM dialer_attempts a WHERE a.id = p_attempt;
    END IF;
    IF NOT EXISTS (
        SELECT FROM dialer_case_numbers f
        WHERE f.case_id = v_attempt.case_id AND f.place > v_attempt.number_place
          AND f.case_inserted_at = v_attempt.case_inserted_at)
    THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (
        SELECT FROM dialer_outcomes o
        WHERE o.outcome = v_attempt.outcome AND o.uses_attempt
          AND (o.redial OR o.outcome = 'INVALID' OR dialer_wrong_number(v_attempt.disposition)))
    THEN
        RETURN NULL;
    END IF;
    SELECT p.most_attempts INTO v_most FROM dialer_params p WHERE p.project_id = v_attempt.project_id;
    IF v_most IS NOT NULL AND dialer_attempt_count(p_attempt) >= v_most THEN
        RETURN NULL;
    END IF;
    RETURN dialer_free_place(v_attempt.case_id, v_attempt.number_place, p_now);
END
$$
