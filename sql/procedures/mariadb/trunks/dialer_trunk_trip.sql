-- dialer_trunk_trip(p_trunk, p_asterisk, p_now)
-- If twenty attempts in a row do not even ring, the trunk is failing, and their cases go back as they were, to wait for
-- the next try. "In a row" means since the last sign of life, which a call still up may have given. A case that was
-- called several times since then goes back by as many steps; one with three INVALID of its own stays used. Cases that
-- somebody's transaction holds are left for the next time. The caller holds the row (dialer_trunk_lock).
CREATE OR REPLACE PROCEDURE dialer_trunk_trip(p_trunk varchar(400), p_asterisk varchar(400), p_now datetime(6))
BEGIN
    DECLARE v_state varchar(20);
    DECLARE v_retry_at datetime(6);
    DECLARE v_sound_at datetime(6);
    DECLARE v_life datetime(6);
    DECLARE v_silent bigint;
    DECLARE v_before bigint;
    DECLARE v_locked tinyint(1);
    DECLARE v_match int;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_silent (id bigint NOT NULL PRIMARY KEY) ENGINE = MEMORY;
    DELETE FROM dialer_silent;
    SELECT t.state, t.retry_at, t.sound_at INTO v_state, v_retry_at, v_sound_at
    FROM dialer_trunk_states t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT max(greatest(coalesce(a.ringing_at, a.answered_at), coalesce(a.answered_at, a.ringing_at))) INTO v_life
    FROM dialer_live l
    JOIN dialer_calls a ON a.id = l.attempt_id
    WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk;
    SET v_life = coalesce(greatest(v_sound_at, v_life), v_sound_at, v_life, '1971-01-01');
    -- No call rings for longer than dial_time, ten minutes at most, so they began no longer ago than that.
    INSERT INTO dialer_silent (id)
    (SELECT a.id FROM dialer_attempts a
    JOIN dialer_outcomes o ON o.outcome = a.outcome AND NOT o.reached
    WHERE a.trunk = p_trunk
      AND a.asterisk = p_asterisk
      AND a.begun_at > v_life - INTERVAL 20 MINUTE
      AND a.ended_at >= v_life
      AND a.ringing_at IS NULL
      AND a.answered_at IS NULL
    ORDER BY a.begun_at DESC
    LIMIT 2000)
    UNION ALL
    (SELECT a.id FROM dialer_calls a
    JOIN dialer_outcomes o ON o.outcome = a.outcome AND NOT o.reached
    WHERE a.trunk = p_trunk
      AND a.asterisk = p_asterisk
      AND a.begun_at > v_life - INTERVAL 20 MINUTE
      AND a.ended_at >= v_life
      AND a.ringing_at IS NULL
      AND a.answered_at IS NULL
    ORDER BY a.begun_at DESC
    LIMIT 2000);
    SELECT count(*) INTO v_silent FROM dialer_silent;
    IF v_state <> 'ok' OR v_silent >= 20 THEN
        -- Calls that were up when it tripped end meanwhile; only a failed try lengthens the interval.
        IF v_state = 'ok' OR v_retry_at <= p_now THEN
            -- MariaDB assigns from left to right; each assignment sees those before it.
            UPDATE dialer_trunk_states t
            JOIN dialer_trunks d ON d.trunk = t.trunk AND d.asterisk = t.asterisk
            SET t.since_at = IF(t.state = 'failing', t.since_at, p_now),
                t.state = 'failing',
                t.reason = concat(t.streak, ' attempts in a row ended without ringing; look at the carrier behind ',
                    d.dial_template),
                t.dial_template = d.dial_template,
                t.retry_at = p_now + INTERVAL dialer_backoff(5, t.retries, 300) SECOND,
                t.retries = t.retries + 1
            WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
            SELECT t.retry_at INTO v_retry_at
            FROM dialer_trunk_states t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
        END IF;
        FOR attempt IN (
            SELECT q.id, q.case_id, q.due_at, q.kind, q.redials_done, q.outcome, q.brought_back, q.effect,
                q.case_inserted_at, q.number, q.number_place
            FROM (
                SELECT a.id, a.case_id, a.due_at, a.kind, a.redials_done, a.outcome, a.brought_back, a.effect,
                    a.case_inserted_at, a.number, a.number_place
                FROM dialer_silent s JOIN dialer_attempts a ON a.id = s.id
                UNION ALL
                SELECT a.id, a.case_id, a.due_at, a.kind, a.redials_done, a.outcome, a.brought_back, a.effect,
                    a.case_inserted_at, a.number, a.number_place
                FROM dialer_silent s JOIN dialer_calls a ON a.id = s.id
            ) q
            WHERE q.effect <> 'kept'
            ORDER BY q.case_id, q.id DESC
        ) DO
            one: BEGIN
                -- If somebody's transaction holds the case, or the gap in an index that it moves to: next time.
                DECLARE EXIT HANDLER FOR 1205 ROLLBACK TO SAVEPOINT dialer_back;
                SAVEPOINT dialer_back;
                IF attempt.outcome = 'INVALID' AND dialer_invalid_count(attempt.id) >= 3 THEN
                    LEAVE one;
                END IF;
                CALL dialer_case_lock(attempt.case_id, v_locked);
                IF v_locked THEN
                    LEAVE one;
                END IF;
                -- The case becomes what it was before the attempt, including last_attempt_id, so that an earlier
                -- attempt of the streak can be taken back as well. The trigger sees from this id changing that the
                -- dialer is writing. A case that was withdrawn, promised or brought back since, or is another case by
                -- now, is left as it is.
                SELECT max(p.id) INTO v_before FROM dialer_attempts p
                WHERE p.case_id = attempt.case_id AND p.id < attempt.id;
                SELECT count(*) INTO v_match FROM dialer_clients c
                WHERE c.id = attempt.case_id
                  AND c.last_attempt_id = attempt.id
                  AND c.inserted_at = attempt.case_inserted_at
                  AND c.brought_back = attempt.brought_back
                  AND CASE
                      WHEN attempt.effect = 'used' THEN c.used
                      WHEN attempt.effect IN ('redial', 'moved') THEN NOT c.used AND c.deferred_kind = 'redial' AND NOT c.deferred_done
                      ELSE NOT c.used
                        AND c.deferred_time <=> attempt.due_at
                        AND coalesce(c.deferred_kind, 'fresh') = attempt.kind
                        AND NOT c.deferred_done
                  END;
                IF v_match > 0 THEN
                    -- In place of an UPDATE, see dialer_case_settle.
                    SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                    INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
                    VALUES (attempt.case_id, '', '-', '0')
                    ON DUPLICATE KEY UPDATE
                        used = false,
                        deferred_time = attempt.due_at,
                        deferred_kind = nullif(attempt.kind, 'fresh'),
                        deferred_done = false,
                        redials_done = attempt.redials_done,
                        number_place = attempt.number_place,
                        number = attempt.number,
                        failures = IF(attempt.outcome = 'FAILED', 0, failures),
                        not_before_at = v_retry_at,
                        last_attempt_id = v_before;
                    SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                    UPDATE dialer_attempts SET effect = 'back' WHERE id = attempt.id;
                    UPDATE dialer_calls SET effect = 'back' WHERE id = attempt.id;
                END IF;
            END;
        END FOR;
        CALL dialer_wake('');
    END IF;
END
