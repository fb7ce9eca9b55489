-- dialer_retry(p_attempt, p_from) -> instant
-- When the case of an attempt that has used one up is to be called again, not before p_from (NULL: whenever); NULL: no
-- more. Who decides, the first of: the row of dialer_retries of the attempt's disposition; the case's list
-- (call_back_period), after outcomes with redial; the row of its outcome. After MACHINE the list only says how many
-- redials there are; the row, else the project's machine_period, how long they wait. Then the caps: the row's `most`
-- counts the calls that ended so since the list last began anew (the first call of such a series has redials_done 0),
-- of a case with several numbers the rounds in which one ended so; dialer_params.most_attempts counts all calls since the
-- case was fresh or brought back. Calls that went back count for neither. The third INVALID of a number is its last,
-- whatever a row says. Where a further number leads nowhere (INVALID, or the agent's code says wrong number), the last
-- call of its round that does not decides in its place. For dialer_case_settle, dialer_dispose and
-- dialer_away_end. Only caps need the ledger; if somebody has locked it as a whole, that is an error at once.
CREATE OR REPLACE PROCEDURE dialer_retry(p_attempt bigint, p_from datetime(6), OUT p_at datetime(6))
work: BEGIN
    DECLARE v_case bigint;
    DECLARE v_project varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_brought_back int;
    DECLARE v_outcome varchar(20);
    DECLARE v_disposition varchar(400);
    DECLARE v_begun_at datetime(6);
    DECLARE v_ended_at datetime(6);
    DECLARE v_redial tinyint(1);
    DECLARE v_invalid bigint;
    DECLARE v_done int;
    DECLARE v_case_done int;
    DECLARE v_call_back tinyint(1);
    DECLARE v_period varchar(1000);
    DECLARE v_machine_period int;
    DECLARE v_most_attempts int;
    DECLARE v_zone varchar(400);
    DECLARE v_row bigint;
    DECLARE v_row_outcome varchar(20);
    DECLARE v_row_disposition varchar(400);
    DECLARE v_minutes int;
    DECLARE v_most int;
    DECLARE v_other_part tinyint(1) DEFAULT false;
    DECLARE v_listed tinyint(1) DEFAULT false;
    DECLARE v_place int;
    DECLARE v_instead bigint DEFAULT p_attempt;
    DECLARE v_wrong tinyint(1);
    DECLARE v_calls bigint;
    DECLARE v_alike bigint;
    DECLARE v_at datetime(6);
    DECLARE v_hour int;
    -- A procedure, since each statement of one opens its own tables alone; a function would open the ledger in any case.
    SET p_at = NULL;
    SELECT a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.outcome, a.disposition,
        a.begun_at, a.ended_at, a.redials_done, a.number_place
    INTO v_case, v_project, v_number, v_inserted, v_brought_back, v_outcome, v_disposition, v_begun_at, v_ended_at,
        v_done, v_place
    FROM dialer_calls a WHERE a.id = p_attempt;
    IF v_case IS NULL THEN
        SELECT a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.outcome, a.disposition,
            a.begun_at, a.ended_at, a.redials_done, a.number_place
        INTO v_case, v_project, v_number, v_inserted, v_brought_back, v_outcome, v_disposition, v_begun_at, v_ended_at,
            v_done, v_place
        FROM dialer_attempts a WHERE a.id = p_attempt;
    END IF;
    SELECT dialer_wrong_number(v_disposition) INTO v_wrong;
    IF v_place > 1 AND (v_outcome = 'INVALID' OR v_wrong) THEN
        SET STATEMENT lock_wait_timeout = 0 FOR
        SELECT coalesce(max(q.id), p_attempt) INTO v_instead
        FROM (
            SELECT a.id, a.outcome, a.disposition
            FROM dialer_attempts a
            WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
              AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.redials_done = v_done
              AND a.id < p_attempt AND a.effect = 'moved'
            UNION ALL
            SELECT a.id, a.outcome, a.disposition
            FROM dialer_calls a
            WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
              AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.redials_done = v_done
              AND a.id < p_attempt AND a.effect = 'moved'
        ) q
        JOIN dialer_outcomes o ON o.outcome = q.outcome AND o.redial
        WHERE NOT dialer_wrong_number(q.disposition);
        IF v_instead <> p_attempt THEN
            SELECT a.outcome, a.disposition, a.begun_at, a.ended_at
            INTO v_outcome, v_disposition, v_begun_at, v_ended_at
            FROM dialer_stat_attempt a WHERE a.attempt_id = v_instead;
        END IF;
    END IF;
    SELECT o.redial INTO v_redial FROM dialer_outcomes o WHERE o.outcome = v_outcome AND o.uses_attempt;
    IF v_redial IS NULL THEN
        LEAVE work;
    END IF;
    IF v_outcome = 'INVALID' THEN
        SELECT dialer_invalid_count(v_instead) INTO v_invalid;
        IF v_invalid >= 3 THEN
            LEAVE work;
        END IF;
    END IF;
    SELECT c.call_back, c.call_back_period, c.redials_done, p.machine_period, p.most_attempts,
        coalesce(
            nullif(c.utc, ''),
            IF(p.zone_by = 'number', substring_index(c.zones, '&', 1), NULL),
            p.zone,
            substring_index(c.zones, '&', 1),
            dialer_setting('server_zone'))
    INTO v_call_back, v_period, v_case_done, v_machine_period, v_most_attempts, v_zone
    FROM dialer_clients c
    LEFT JOIN dialer_params p ON p.project_id = v_project
    WHERE c.id = v_case;
    IF v_disposition IS NOT NULL THEN
        SELECT dialer_retry_row(v_project, v_case, NULL, v_disposition) INTO v_row;
    END IF;
    IF v_row IS NULL THEN
        SET v_listed = v_redial AND dialer_period(v_call_back, v_period, 0) IS NOT NULL;
        IF v_listed THEN
            -- 0 by now if a promise was made and withdrawn during the call, one more if this call was settled before.
            SET v_minutes = dialer_period(v_call_back, v_period, least(v_done, v_case_done));
            IF v_minutes IS NULL THEN
                LEAVE work;
            END IF;
        END IF;
        IF NOT v_listed OR v_outcome = 'MACHINE' THEN
            SELECT dialer_retry_row(v_project, v_case, v_outcome, NULL) INTO v_row;
        END IF;
        IF v_row IS NULL AND v_outcome = 'MACHINE' AND v_listed THEN
            SET v_minutes = coalesce(v_machine_period, v_minutes);
        END IF;
    END IF;
    IF v_row IS NOT NULL THEN
        SELECT t.outcome, t.disposition, t.period_minutes, t.most, t.other_part_of_day
        INTO v_row_outcome, v_row_disposition, v_minutes, v_most, v_other_part
        FROM dialer_retries t WHERE t.id = v_row;
    END IF;
    IF v_minutes IS NULL THEN
        LEAVE work;
    END IF;
    IF v_most_attempts IS NOT NULL THEN
        SET STATEMENT lock_wait_timeout = 0 FOR
        SELECT dialer_attempt_count(p_attempt) INTO v_calls;
        IF v_calls >= v_most_attempts THEN
            LEAVE work;
        END IF;
    END IF;
    IF v_most IS NOT NULL THEN
        -- Both tables by hand: not every server looks into the view by the index.
        SET STATEMENT lock_wait_timeout = 0 FOR
        SELECT count(DISTINCT IF(q.id >= coalesce(q.first_id, 0)
            AND coalesce(q.disposition = v_row_disposition, q.outcome = v_row_outcome, false), q.redials_done, NULL))
        INTO v_alike
        FROM (
            SELECT r.*, max(IF(r.redials_done = 0 AND r.begins_round, r.id, NULL)) OVER () AS first_id
            FROM (
                SELECT u.id, u.outcome, u.disposition, u.effect, u.redials_done,
                    NOT lag(u.effect) OVER (ORDER BY u.id) <=> 'moved' OR lag(u.redials_done) OVER (ORDER BY u.id) > 0
                        AS begins_round
                FROM (
                    SELECT a.id, a.outcome, a.disposition, a.effect, a.redials_done
                    FROM dialer_attempts a
                    WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
                      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.id <= p_attempt
                    UNION ALL
                    SELECT a.id, a.outcome, a.disposition, a.effect, a.redials_done
                    FROM dialer_calls a
                    WHERE a.case_id = v_case AND a.project_id = v_project AND a.phone_number = v_number
                      AND a.case_inserted_at = v_inserted AND a.brought_back = v_brought_back AND a.id <= p_attempt
                ) u
            ) r
        ) q
        JOIN dialer_outcomes o ON o.outcome = q.outcome AND o.uses_attempt
        WHERE NOT q.effect <=> 'back';
        IF v_alike > v_most THEN
            LEAVE work;
        END IF;
    END IF;
    SET v_at = v_ended_at + INTERVAL v_minutes MINUTE;
    SET v_at = coalesce(greatest(v_at, p_from), v_at);
    IF v_other_part THEN
        SET v_hour = hour(dialer_local(v_zone, v_begun_at));
        -- The two other parts, as one window.
        SET v_at = coalesce(CASE
            WHEN v_hour < 12 THEN dialer_window_next(v_zone, '12:00', '24:00', v_at)
            WHEN v_hour < 17 THEN dialer_window_next(v_zone, '17:00', '12:00', v_at)
            ELSE dialer_window_next(v_zone, '00:00', '17:00', v_at)
        END, v_at);
    END IF;
    SET p_at = v_at;
END
