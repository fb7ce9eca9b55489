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
CREATE OR REPLACE PROCEDURE dialer_case_settle(
    p_attempt bigint,
    p_reached tinyint(1),
    p_now datetime(6),
    OUT p_settled tinyint(1)
)
BEGIN
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_trunk varchar(400);
    DECLARE v_asterisk varchar(400);
    DECLARE v_due_at datetime(6);
    DECLARE v_begun_at datetime(6);
    DECLARE v_rang tinyint(1);
    DECLARE v_begun_back int;
    DECLARE v_outcome varchar(20);
    DECLARE v_uses_attempt tinyint(1);
    DECLARE v_invalid bigint DEFAULT 0;
    DECLARE v_opted_out bigint;
    DECLARE v_id bigint;
    DECLARE v_case_project varchar(400);
    DECLARE v_case_number varchar(400);
    DECLARE v_case_inserted datetime(6);
    DECLARE v_locked tinyint(1);
    DECLARE v_used tinyint(1);
    DECLARE v_call_back tinyint(1);
    DECLARE v_period varchar(1000);
    DECLARE v_redial_at datetime(6);
    DECLARE v_deferred_time datetime(6);
    DECLARE v_deferred_done tinyint(1);
    DECLARE v_redials_done int;
    DECLARE v_failures int;
    DECLARE v_brought_back int;
    DECLARE v_wait bigint;
    DECLARE v_effect varchar(20);
    DECLARE v_trunk_failing tinyint(1) DEFAULT false;
    DECLARE v_wrong tinyint(1);
    DECLARE v_ended_at datetime(6);
    DECLARE v_case_place int;
    DECLARE v_dialled varchar(400);
    DECLARE v_place int;
    DECLARE v_move int;
    DECLARE v_further int;
    work: BEGIN
        DECLARE EXIT HANDLER FOR 1205 SET p_settled = false;
        -- Column by column: a DBA may have added columns.
        SELECT a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.trunk, a.asterisk, a.due_at, a.begun_at,
            a.ringing_at IS NOT NULL OR a.answered_at IS NOT NULL, a.brought_back, a.outcome,
            dialer_wrong_number(a.disposition), a.ended_at
        INTO v_case, v_project, v_number, v_inserted, v_trunk, v_asterisk, v_due_at, v_begun_at,
            v_rang, v_begun_back, v_outcome, v_wrong, v_ended_at
        FROM dialer_calls a WHERE a.id = p_attempt;
        SELECT o.uses_attempt INTO v_uses_attempt
        FROM dialer_outcomes o WHERE o.outcome = v_outcome;
        CALL dialer_case_lock(v_case, v_locked);
        IF v_locked THEN
            SET p_settled = false;
            LEAVE work;
        END IF;
        SET p_settled = true;
        SELECT c.id, c.used, c.call_back, c.call_back_period, c.deferred_time, c.deferred_done,
            c.redials_done, c.failures, c.brought_back, c.project_id, c.phone_number, c.inserted_at,
            c.number_place, c.number
        INTO v_id, v_used, v_call_back, v_period, v_deferred_time, v_deferred_done, v_redials_done, v_failures,
            v_brought_back, v_case_project, v_case_number, v_case_inserted, v_case_place, v_dialled
        FROM dialer_clients c WHERE c.id = v_case FOR UPDATE;
        IF v_id IS NULL OR NOT (v_case_project = v_project AND v_case_number = v_number
            AND v_case_inserted = v_inserted) THEN
            IF v_case_inserted = v_inserted THEN
                -- It is the same row with another number or in another project: this claim on it is over.
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
                VALUES (v_id, '', '-', '0')
                ON DUPLICATE KEY UPDATE checked = false;
            ELSE
                CALL dialer_away_note(p_attempt);
            END IF;
            UPDATE dialer_calls SET effect = 'kept' WHERE id = p_attempt;
            LEAVE work;
        END IF;
        SELECT coalesce(max(t.state = 'failing'), false) INTO v_trunk_failing
        FROM dialer_trunk_states t WHERE t.trunk = v_trunk AND t.asterisk = v_asterisk;
        IF v_outcome = 'INVALID' THEN
            SELECT dialer_invalid_count(p_attempt) INTO v_invalid;
        END IF;
        SELECT count(*) INTO v_opted_out FROM dialer_dnc d WHERE d.attempt_id = p_attempt;
        CALL dialer_retry(p_attempt, NULL, v_redial_at);
        CALL dialer_case_move(p_attempt, p_now, v_move);
        SET v_effect = CASE
            WHEN v_brought_back <> v_begun_back
                OR v_used
                OR (v_deferred_time IS NOT NULL AND NOT v_deferred_done) THEN 'kept'
            WHEN v_opted_out > 0 AND NOT v_wrong THEN 'used'
            WHEN v_invalid >= 3 OR v_uses_attempt AND NOT (v_trunk_failing AND NOT coalesce(p_reached, true)) THEN
                CASE
                    WHEN v_move IS NOT NULL THEN 'moved'
                    WHEN v_redial_at IS NOT NULL THEN 'redial'
                    ELSE 'used'
                END
            WHEN v_outcome = 'FAILED' AND NOT v_trunk_failing AND v_failures >= 9 THEN 'used'
            ELSE 'back'
        END;
        IF v_effect = 'back' THEN
            SET v_wait = CASE
                WHEN v_trunk_failing AND NOT coalesce(p_reached, true) THEN 0  -- the trunk's own delay holds it back
                WHEN v_outcome = 'FAILED' THEN dialer_backoff(10, v_failures, 2560)
                WHEN v_rang THEN
                    60 * greatest(10, coalesce(dialer_period(v_call_back, v_period, v_redials_done), 0))
                ELSE 10
            END;
        END IF;
        SET v_place = v_case_place;
        IF v_effect = 'moved' THEN
            SET v_place = v_move, v_redial_at = v_ended_at;
        ELSEIF v_effect IN ('redial', 'used') AND (v_outcome <> 'ANSWERED' OR v_wrong) THEN
            SELECT count(*) INTO v_further
            FROM dialer_case_numbers f WHERE f.case_id = v_id AND f.case_inserted_at = v_inserted;
            IF v_further > 0 THEN
                SELECT coalesce(dialer_free_place(v_id, 0, p_now), 1) INTO v_place;
            END IF;
        END IF;
        IF v_place <> v_case_place THEN
            CALL dialer_place_write(v_id, v_place, v_dialled);
        END IF;
        -- The case may be free while a REPEATABLE READ transaction holds the gap in an index that it moves to. An
        -- UPDATE that has begun to write would raise an error that reaches no handler; this one reaches the handler
        -- above. The row is there and locked, so nothing is inserted, and no check looks at the row's own columns.
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
        VALUES (v_id, '', '-', '0')
        ON DUPLICATE KEY UPDATE
            checked = false,
            last_attempt_id = p_attempt,
            tried_at = v_begun_at,
            number_place = v_place,
            number = v_dialled,
            used = used OR v_effect = 'used',
            deferred_kind = IF(v_effect IN ('redial', 'moved'), 'redial', deferred_kind),
            deferred_done = CASE
                WHEN v_effect IN ('redial', 'moved') THEN false
                -- as it was: the promise that this call was to keep stands, unless it was withdrawn
                WHEN v_effect = 'back' AND v_deferred_time = v_due_at THEN false
                ELSE deferred_done
            END,
            deferred_time = IF(v_effect IN ('redial', 'moved'), v_redial_at, deferred_time),
            redials_done = redials_done + IF(v_effect = 'redial', 1, 0),
            not_before_at = CASE
                WHEN v_effect = 'back' THEN p_now + INTERVAL v_wait SECOND
                WHEN v_effect = 'kept' THEN not_before_at
            END,
            failures = CASE
                WHEN v_outcome <> 'FAILED' THEN 0
                WHEN v_trunk_failing THEN failures
                ELSE failures + 1
            END;
        UPDATE dialer_calls SET effect = v_effect WHERE id = p_attempt;
    END work;
END
