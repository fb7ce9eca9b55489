-- dialer_case_settle(p_attempt, p_reached, p_now) -> bool
-- What the end of an attempt means for its case: used up, a redial, or back as it was, only later. What somebody did to
-- the case during the call stands: withdrawn, promised anew, brought back, deleted. Whether there is a redial, and when,
-- dialer_retry says. p_reached as in dialer_trunk_settle. A case whose subscriber opted out in this call is used up,
-- unless the agent's code says wrong number. A case with further numbers moves on to the next one first, which is due
-- at once and uses up no redial (dialer_case_move); when none is left, these rules apply, and it begins anew with the
-- first one that may be called. After a talk it stays on the number of the talk, whatever calls it again. The third
-- INVALID of a case counts as the case's own, whatever state the trunk is in. If another case has its id by now
-- (project, number or inserted_at differ), that one is left
-- alone; the attempt's own case may come back (dialer_away). Locks the case. False: somebody's open transaction holds
-- it, or the ledger by which redials are counted, and nothing was done; the caller leaves the claim, and dialer_reap
-- tries again.
CREATE OR REPLACE FUNCTION dialer_case_settle(p_attempt bigint, p_reached bool, p_now timestamptz)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_attempt dialer_calls;
    v_outcome dialer_outcomes;
    v_case dialer_clients;
    v_redial_at timestamptz;
    v_wait interval;
    v_effect varchar;
    v_trunk_failing bool;
    v_wrong bool;
    v_invalid bool;
    v_place int;
    v_move int;
BEGIN
    SELECT * INTO v_attempt FROM dialer_calls a WHERE a.id = p_attempt;
    SELECT * INTO v_outcome FROM dialer_outcomes o WHERE o.outcome = v_attempt.outcome;
    SELECT * INTO v_case FROM dialer_clients c WHERE c.id = v_attempt.case_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM dialer_clients c WHERE c.id = v_attempt.case_id) THEN
            RETURN false;
        END IF;
        UPDATE dialer_calls SET effect = 'kept' WHERE id = p_attempt;
        PERFORM dialer_away_note(p_attempt);
        RETURN true;
    END IF;
    IF (v_case.project_id, v_case.phone_number, v_case.inserted_at)
        <> (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at)
    THEN
        UPDATE dialer_calls SET effect = 'kept' WHERE id = p_attempt;
        -- It is the same row with another number or in another project: this claim on it is over.
        UPDATE dialer_clients SET checked = false
        WHERE id = v_case.id AND inserted_at = v_attempt.case_inserted_at AND checked;
        PERFORM dialer_away_note(p_attempt) WHERE v_case.inserted_at <> v_attempt.case_inserted_at;
        RETURN true;
    END IF;
    SELECT t.state = 'failing' INTO v_trunk_failing
    FROM dialer_trunk_states t WHERE t.trunk = v_attempt.trunk AND t.asterisk = v_attempt.asterisk;
    BEGIN
        v_redial_at := dialer_retry(p_attempt, NULL);
        v_move := dialer_case_move(p_attempt, p_now);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    v_wrong := dialer_wrong_number(v_attempt.disposition);
    v_invalid := v_outcome.outcome = 'INVALID' AND dialer_invalid_count(p_attempt) >= 3;
    v_effect := CASE
        WHEN v_case.brought_back <> v_attempt.brought_back
            OR v_case.used
            OR (v_case.deferred_time IS NOT NULL AND NOT v_case.deferred_done) THEN 'kept'
        WHEN NOT v_wrong AND EXISTS (SELECT FROM dialer_dnc d WHERE d.attempt_id = p_attempt) THEN 'used'
        WHEN v_invalid
            OR v_outcome.uses_attempt AND NOT (coalesce(v_trunk_failing, false) AND NOT coalesce(p_reached, true))
            THEN CASE
                WHEN v_move IS NOT NULL THEN 'moved'
                WHEN v_redial_at IS NOT NULL THEN 'redial'
                ELSE 'used'
            END
        WHEN v_outcome.outcome = 'FAILED' AND NOT coalesce(v_trunk_failing, false) AND v_case.failures >= 9
            THEN 'used'
        ELSE 'back'
    END;
    IF v_effect = 'back' THEN
        v_wait := CASE
            WHEN v_outcome.outcome = 'FAILED' THEN dialer_backoff(10, v_case.failures, 2560) * interval '1 second'
            WHEN v_attempt.ringing_at IS NOT NULL OR v_attempt.answered_at IS NOT NULL THEN
                greatest(10, coalesce(dialer_period(v_case.call_back, v_case.call_back_period, v_case.redials_done), 0))
                    * interval '1 minute'
            ELSE interval '10 seconds'
        END;
        IF v_trunk_failing AND NOT coalesce(p_reached, true) THEN
            v_wait := interval '0';  -- the trunk's own delay holds it back
        END IF;
    END IF;
    v_place := v_case.number_place;
    IF v_effect = 'moved' THEN
        v_place := v_move;
        v_redial_at := v_attempt.ended_at;
    ELSIF v_effect IN ('redial', 'used') AND (v_outcome.outcome <> 'ANSWERED' OR v_wrong) AND EXISTS (
        SELECT FROM dialer_case_numbers f WHERE f.case_id = v_case.id AND f.case_inserted_at = v_case.inserted_at)
    THEN
        v_place := coalesce(dialer_free_place(v_case.id, 0, p_now), 1);
    END IF;
    IF v_place <> v_case.number_place THEN
        v_case.number := dialer_place_write(v_case.id, v_place);
    END IF;
    UPDATE dialer_calls SET effect = v_effect WHERE id = p_attempt;
    UPDATE dialer_clients c
    SET checked = false,
        number_place = v_place,
        number = v_case.number,
        last_attempt_id = p_attempt,
        tried_at = v_attempt.begun_at,
        used = c.used OR v_effect = 'used',
        deferred_kind = CASE
            WHEN v_effect IN ('redial', 'moved') THEN 'redial'
            ELSE c.deferred_kind
        END,
        deferred_time = CASE
            WHEN v_effect IN ('redial', 'moved') THEN v_redial_at
            ELSE c.deferred_time
        END,
        deferred_done = CASE
            WHEN v_effect IN ('redial', 'moved') THEN false
            -- as it was: the promise that this call was to keep stands, unless it was withdrawn
            WHEN v_effect = 'back' AND c.deferred_time = v_attempt.due_at THEN false
            ELSE c.deferred_done
        END,
        redials_done = c.redials_done + CASE WHEN v_effect = 'redial' THEN 1 ELSE 0 END,
        not_before_at = CASE
            WHEN v_effect = 'back' THEN p_now + v_wait
            WHEN v_effect = 'kept' THEN c.not_before_at
        END,
        failures = CASE
            WHEN v_outcome.outcome <> 'FAILED' THEN 0
            WHEN v_trunk_failing THEN c.failures
            ELSE c.failures + 1
        END
    WHERE c.id = v_case.id;
    RETURN true;
END
$$
