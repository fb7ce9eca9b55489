-- dialer_dispose(p_attempt, p_disposition, p_now) -> answer
-- The agent's code for a call (NULL takes it back), during the call or later. While the call is up it is only written:
-- the end settles the case by it. Afterwards it settles the same attempt anew, if dialer_retries has a row for it, or
-- for the code before it (which is then undone): the case is called again when that row says, not before p_now, or is
-- used up. A code that says wrong number (dialer_wrong_number) has a case with further numbers move on to the next one.
-- Not a bring-back: counters go on. It changes the statistics alone where a later attempt has begun, where somebody has
-- withdrawn the case, promised a callback or brought it back since, and after calls that went back.
--   noted    the code is written, the case stays as it was
--   settled  the code is written, and the case was settled anew
--   locked   somebody's open transaction holds the case, or the ledger; nothing is written: ask again
--   gone     there is no such attempt
-- Locks, in this order: the attempt, the case.
CREATE OR REPLACE FUNCTION dialer_dispose(p_attempt bigint, p_disposition varchar, p_now timestamptz)
RETURNS varchar
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_attempt record;
    v_case dialer_clients;
    v_posted bool;
    v_ruled bool := false;
    v_redial_at timestamptz;
    v_move int;
    v_place int;
    v_effect varchar;
BEGIN
    IF NOT dialer_printable(p_disposition) OR length(p_disposition) NOT BETWEEN 1 AND 100 THEN
        PERFORM dialer_refuse('dialer_attempts.disposition', p_disposition,
            'write the agent''s code, up to 100 characters without control characters, or NULL');
    END IF;
    -- First where it is while the call is up: it moves from there, never back.
    SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.effect, a.outcome,
        a.disposition, a.kind, a.due_at, a.redials_done, a.number_place
    INTO v_attempt
    FROM dialer_calls a WHERE a.id = p_attempt FOR UPDATE;
    v_posted := NOT FOUND;
    IF v_posted THEN
        SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.effect, a.outcome,
            a.disposition, a.kind, a.due_at, a.redials_done, a.number_place
        INTO v_attempt
        FROM dialer_attempts a WHERE a.id = p_attempt FOR UPDATE;
        IF NOT FOUND THEN
            RETURN 'gone';
        END IF;
    END IF;
    IF v_attempt.effect IN ('used', 'redial', 'moved')
       AND (SELECT o.uses_attempt FROM dialer_outcomes o WHERE o.outcome = v_attempt.outcome) THEN
        SELECT * INTO v_case FROM dialer_clients c WHERE c.id = v_attempt.case_id FOR UPDATE SKIP LOCKED;
        IF NOT FOUND AND EXISTS (SELECT FROM dialer_clients c WHERE c.id = v_attempt.case_id) THEN
            RETURN 'locked';
        END IF;
        v_ruled := coalesce(
            (v_case.project_id, v_case.phone_number, v_case.inserted_at, v_case.brought_back, v_case.last_attempt_id)
                = (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at, v_attempt.brought_back,
                    p_attempt)
            AND CASE v_attempt.effect
                WHEN 'used' THEN v_case.used
                ELSE NOT v_case.used AND v_case.deferred_kind = 'redial' AND NOT v_case.deferred_done
            END
            AND NOT EXISTS (
                SELECT FROM dialer_stat_attempt l
                WHERE l.case_id = v_attempt.case_id AND l.attempt_id > p_attempt
                  AND l.case_inserted_at = v_attempt.case_inserted_at)
            AND (
                v_attempt.disposition IS NOT NULL
                AND dialer_retry_row(v_case.project_id, v_case.id, NULL, v_attempt.disposition) IS NOT NULL
                OR p_disposition IS NOT NULL
                AND dialer_retry_row(v_case.project_id, v_case.id, NULL, p_disposition) IS NOT NULL
                OR dialer_wrong_number(v_attempt.disposition) <> dialer_wrong_number(p_disposition)
                AND EXISTS (
                    SELECT FROM dialer_case_numbers f
                    WHERE f.case_id = v_case.id AND f.case_inserted_at = v_case.inserted_at)), false);
    END IF;
    IF v_posted THEN
        UPDATE dialer_attempts SET disposition = p_disposition WHERE id = p_attempt;
    ELSE
        UPDATE dialer_calls SET disposition = p_disposition WHERE id = p_attempt;
    END IF;
    PERFORM dialer_pause_add(p_attempt, dialer_instant(p_now));
    IF NOT v_ruled THEN
        RETURN 'noted';
    END IF;
    v_redial_at := dialer_retry(p_attempt, dialer_instant(p_now));
    v_move := dialer_case_move(p_attempt, dialer_instant(p_now));
    IF v_attempt.outcome = 'ANSWERED' AND NOT dialer_wrong_number(p_disposition) THEN
        v_place := v_attempt.number_place;  -- the number of the talk
    ELSIF v_move IS NOT NULL THEN
        v_redial_at := dialer_instant(p_now);
        v_place := v_move;
    ELSE
        v_place := coalesce(dialer_free_place(v_case.id, 0, dialer_instant(p_now)), 1);
    END IF;
    v_effect := CASE WHEN v_redial_at IS NULL THEN 'used' WHEN v_move IS NOT NULL THEN 'moved' ELSE 'redial' END;
    IF v_place <> v_case.number_place THEN
        v_case.number_place := v_place;
        v_case.number := dialer_place_write(v_case.id, v_place);
    END IF;
    -- The triggers know the dialer's own writes by last_attempt_id changing with them, so it is put back afterwards.
    UPDATE dialer_clients c
    SET last_attempt_id = NULL,
        used = v_redial_at IS NULL,
        deferred_time = coalesce(v_redial_at, v_attempt.due_at),
        deferred_kind = CASE WHEN v_redial_at IS NULL THEN nullif(v_attempt.kind, 'fresh') ELSE 'redial' END,
        deferred_done = v_redial_at IS NULL AND v_attempt.due_at IS NOT NULL,
        redials_done = v_attempt.redials_done + (v_effect = 'redial')::int,
        number_place = v_case.number_place,
        number = v_case.number
    WHERE c.id = v_case.id;
    UPDATE dialer_clients c SET last_attempt_id = p_attempt WHERE c.id = v_case.id;
    IF v_posted THEN
        UPDATE dialer_attempts SET effect = v_effect WHERE id = p_attempt;
    ELSE
        UPDATE dialer_calls SET effect = v_effect WHERE id = p_attempt;
    END IF;
    PERFORM dialer_wake(j.project_id)
    FROM dialer_projects j
    WHERE j.project_id = v_case.project_id AND j.wanted = 'start' AND v_redial_at IS NOT NULL;
    RETURN 'settled';
EXCEPTION WHEN lock_not_available THEN
    RETURN 'locked';
END
$$
