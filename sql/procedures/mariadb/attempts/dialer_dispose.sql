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
CREATE OR REPLACE PROCEDURE dialer_dispose(p_attempt bigint, p_disposition varchar(4000), p_now datetime(6))
BEGIN
    DECLARE v_answer varchar(20) DEFAULT 'gone';
    DECLARE v_found bigint;
    DECLARE v_posted tinyint(1);
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_brought_back int;
    DECLARE v_effect varchar(20);
    DECLARE v_outcome varchar(20);
    DECLARE v_uses_attempt tinyint(1) DEFAULT false;
    DECLARE v_before varchar(400);
    DECLARE v_kind varchar(20);
    DECLARE v_due_at datetime(6);
    DECLARE v_redials_done int;
    DECLARE v_locked tinyint(1) DEFAULT false;
    DECLARE v_ruled tinyint(1) DEFAULT false;
    DECLARE v_now datetime(6);
    DECLARE v_redial_at datetime(6);
    DECLARE v_attempt_place int;
    DECLARE v_case_place int;
    DECLARE v_dialled varchar(400);
    DECLARE v_place int;
    DECLARE v_move int;
    DECLARE v_wrong tinyint(1);
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        IF v_own THEN
            ROLLBACK;
        END IF;
        RESIGNAL;
    END;
    -- Inside somebody's transaction it is a part of that one.
    IF v_own THEN
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        START TRANSACTION;
    END IF;
    SAVEPOINT dialer_dispose;
    work: BEGIN
        DECLARE EXIT HANDLER FOR 1205
        BEGIN
            ROLLBACK TO SAVEPOINT dialer_dispose;
            SET v_answer = 'locked';
        END;
        IF NOT dialer_printable(p_disposition) OR char_length(p_disposition) NOT BETWEEN 1 AND 100 THEN
            CALL dialer_refuse('dialer_attempts.disposition', p_disposition,
                'write the agent''s code, up to 100 characters without control characters, or NULL');
        END IF;
        -- First where it is while the call is up: it moves from there, never back.
        SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.effect, a.disposition,
            a.kind, a.due_at, a.redials_done, a.outcome, a.number_place
        INTO v_found, v_case, v_project, v_number, v_inserted, v_brought_back, v_effect, v_before,
            v_kind, v_due_at, v_redials_done, v_outcome, v_attempt_place
        FROM dialer_calls a WHERE a.id = p_attempt FOR UPDATE;
        SET v_posted = v_found IS NULL;
        IF v_posted THEN
            SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.effect,
                a.disposition, a.kind, a.due_at, a.redials_done, a.outcome, a.number_place
            INTO v_found, v_case, v_project, v_number, v_inserted, v_brought_back, v_effect,
                v_before, v_kind, v_due_at, v_redials_done, v_outcome, v_attempt_place
            FROM dialer_attempts a WHERE a.id = p_attempt FOR UPDATE;
        END IF;
        IF v_found IS NULL THEN
            LEAVE work;
        END IF;
        SELECT o.uses_attempt INTO v_uses_attempt FROM dialer_outcomes o WHERE o.outcome = v_outcome;
        IF v_uses_attempt AND v_effect IN ('used', 'redial', 'moved') THEN
            CALL dialer_case_lock(v_case, v_locked);
            IF v_locked THEN
                SET v_answer = 'locked';
                LEAVE work;
            END IF;
            SELECT count(*) > 0 INTO v_ruled
            FROM dialer_clients c
            WHERE c.id = v_case AND c.project_id = v_project AND c.phone_number = v_number AND c.inserted_at = v_inserted
              AND c.brought_back = v_brought_back AND c.last_attempt_id = p_attempt
              AND IF(v_effect = 'used', c.used, NOT c.used AND c.deferred_kind = 'redial' AND NOT c.deferred_done)
              AND NOT EXISTS (
                SELECT 1 FROM dialer_calls l
                WHERE l.case_id = v_case AND l.id > p_attempt AND l.case_inserted_at = v_inserted)
              AND NOT EXISTS (
                SELECT 1 FROM dialer_attempts l
                WHERE l.case_id = v_case AND l.id > p_attempt AND l.case_inserted_at = v_inserted)
              AND (v_before IS NOT NULL AND dialer_retry_row(v_project, v_case, NULL, v_before) IS NOT NULL
                OR p_disposition IS NOT NULL AND dialer_retry_row(v_project, v_case, NULL, p_disposition) IS NOT NULL
                OR dialer_wrong_number(v_before) <> dialer_wrong_number(p_disposition) AND EXISTS (
                    SELECT 1 FROM dialer_case_numbers f WHERE f.case_id = v_case AND f.case_inserted_at = v_inserted))
            FOR UPDATE;
        END IF;
        IF v_posted THEN
            UPDATE dialer_attempts SET disposition = p_disposition WHERE id = p_attempt;
        ELSE
            UPDATE dialer_calls SET disposition = p_disposition WHERE id = p_attempt;
        END IF;
        SELECT dialer_instant(p_now) INTO v_now;
        CALL dialer_pause_add(p_attempt, v_now);
        SET v_answer = 'noted';
        IF v_ruled THEN
            CALL dialer_retry(p_attempt, v_now, v_redial_at);
            CALL dialer_case_move(p_attempt, v_now, v_move);
            SELECT c.number_place, c.number, dialer_wrong_number(p_disposition) INTO v_case_place, v_dialled, v_wrong
            FROM dialer_clients c WHERE c.id = v_case;
            IF v_outcome = 'ANSWERED' AND NOT v_wrong THEN
                SET v_place = v_attempt_place;  -- the number of the talk
            ELSEIF v_move IS NOT NULL THEN
                SET v_redial_at = v_now, v_place = v_move;
            ELSE
                SELECT coalesce(dialer_free_place(v_case, 0, v_now), 1) INTO v_place;
            END IF;
            SET v_effect = CASE
                WHEN v_redial_at IS NULL THEN 'used'
                WHEN v_move IS NOT NULL THEN 'moved'
                ELSE 'redial'
            END;
            IF v_place <> v_case_place THEN
                SET v_case_place = v_place;
                CALL dialer_place_write(v_case, v_place, v_dialled);
            END IF;
            -- In place of an UPDATE, see dialer_case_settle. The triggers know the dialer's own writes by last_attempt_id
            -- changing with them, so it is put back afterwards.
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
            VALUES (v_case, '', '-', '0')
            ON DUPLICATE KEY UPDATE
                last_attempt_id = NULL,
                used = v_redial_at IS NULL,
                deferred_time = coalesce(v_redial_at, v_due_at),
                deferred_kind = IF(v_redial_at IS NULL, nullif(v_kind, 'fresh'), 'redial'),
                deferred_done = v_redial_at IS NULL AND v_due_at IS NOT NULL,
                redials_done = v_redials_done + (v_effect = 'redial'),
                number_place = v_case_place,
                number = v_dialled;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
            VALUES (v_case, '', '-', '0')
            ON DUPLICATE KEY UPDATE last_attempt_id = p_attempt;
            IF v_posted THEN
                UPDATE dialer_attempts SET effect = v_effect WHERE id = p_attempt;
            ELSE
                UPDATE dialer_calls SET effect = v_effect WHERE id = p_attempt;
            END IF;
            IF v_redial_at IS NOT NULL
               AND (SELECT count(*) FROM dialer_projects j WHERE j.project_id = v_project AND j.wanted = 'start') > 0 THEN
                CALL dialer_wake(v_project);
            END IF;
            SET v_answer = 'settled';
        END IF;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_answer AS dialer_dispose;
END
