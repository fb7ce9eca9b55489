-- dialer_screen(p_n, p_now) -> how many cases and changes were looked at
-- Look at the next p_n cases, in the order of their ids, ahead of the claims: after a change of countries or prefixes
-- their numbers are written by their project's country as it is now, and those that a rule on numbers keeps back are
-- held (held_for, held_until), so that a claim does not come across them; those that no rule keeps back any more wait
-- again. After a change of rules, and when a project's list has become too old (its cases wait for that alone then),
-- all cases are looked at again, from the first, or those of the numbers that it concerns; otherwise those that are
-- new, those whose number was called, and held ones whose time has come. Cases with further numbers as
-- dialer_case_numbers_screen says; rows of dialer_case_numbers whose case is gone are deleted, those of p_n cases
-- looked at each time. 0: for now there is nothing more to look at. One caller at a time works; a second one is told 0.
-- Nobody waits: cases that somebody's open transaction holds are left out, and looked at again by each call, which 0
-- does not speak of. p_now as in dialer_claim.
CREATE OR REPLACE PROCEDURE dialer_screen(p_n int, p_now datetime(6))
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_busy tinyint(1) DEFAULT false;
    DECLARE v_looked_to bigint;
    DECLARE v_attempts_to bigint;
    DECLARE v_pauses_to bigint;
    DECLARE v_looked_at datetime(6);
    DECLARE v_numbers_to bigint;
    DECLARE v_numbers tinyint(1);
    DECLARE v_reads tinyint(1);
    DECLARE v_is_last tinyint(1);
    DECLARE v_changes int;
    DECLARE v_looked int DEFAULT 0;
    DECLARE v_more int;
    DECLARE v_locked tinyint(1);
    DECLARE v_pending int;
    DECLARE v_set varchar(400) DEFAULT @dialer_now;
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_now = v_set;
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
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_looked (
        case_id bigint NOT NULL PRIMARY KEY
    ) ENGINE = MEMORY;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_changes (
        id bigint NOT NULL PRIMARY KEY,
        number varchar(400) NULL,
        numbers tinyint(1) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    IF NOT @dialer_temporaries <=> schema() THEN
        CALL dialer_temporaries();
    END IF;
    DELETE FROM dialer_looked;
    DELETE FROM dialer_asked;
    DELETE FROM dialer_changes;
    DELETE FROM dialer_holding;
    SELECT dialer_instant(p_now) INTO v_now;
    work: BEGIN
        take: BEGIN
            DECLARE EXIT HANDLER FOR 1205 SET v_busy = true;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            SELECT s.looked_to, s.attempts_to, s.pauses_to, s.looked_at, s.numbers_to, s.numbers
            INTO v_looked_to, v_attempts_to, v_pauses_to, v_looked_at, v_numbers_to, v_numbers
            FROM dialer_screening s WHERE s.id = 1 FOR UPDATE;
        END;
        IF v_busy THEN
            LEAVE work;
        END IF;
        -- Those that are committed, each by its key: a range would wait for what others write.
        INSERT INTO dialer_changes (id, number, numbers)
        SELECT k.id, k.number, k.numbers FROM dialer_rule_changes k ORDER BY k.id LIMIT 10000;
        -- Not those that were locked the last time: nobody is to ask again at once because of them.
        SELECT count(*) INTO v_changes FROM dialer_changes c WHERE c.number IS NULL OR NOT c.numbers;
        SELECT coalesce(max(c.numbers), false) INTO v_reads FROM dialer_changes c;
        DELETE k FROM dialer_changes c STRAIGHT_JOIN dialer_rule_changes k FORCE INDEX (PRIMARY) ON k.id = c.id;
        SELECT count(*), v_numbers OR coalesce(max(c.numbers), false) INTO v_more, v_numbers
        FROM dialer_changes c WHERE c.number IS NULL;
        SELECT v_more + count(*) INTO v_more
        FROM dialer_dnc d WHERE d.from_at > v_looked_at AND d.from_at <= v_now;
        SELECT v_more + count(*) INTO v_more
        FROM dialer_rules r WHERE r.scrub_blocks AND r.list_until > v_looked_at AND r.list_until <= v_now;
        IF v_more > 0 THEN
            SET v_looked_to = 0;
        END IF;
        -- One of no number: the last time somebody held what was to be written.
        SELECT count(*) INTO v_pending FROM dialer_changes c WHERE c.number = '' AND c.numbers;
        IF v_looked_to = 0 OR v_pending > 0 THEN
            refresh: BEGIN
                -- All of it or nothing: half of the ranges would put numbers somewhere else. Each call tries it again; as
                -- with locked cases, nobody is to ask at once because of that.
                DECLARE EXIT HANDLER FOR 1205 BEGIN
                    ROLLBACK TO SAVEPOINT dialer_refresh;
                    INSERT INTO dialer_rule_changes (number, numbers) VALUES ('', true);
                    SET v_pending = 0;
                END;
                SAVEPOINT dialer_refresh;
                CALL dialer_numbering_refresh();
            END;
            IF v_pending > 0 THEN
                SET v_looked_to = 0, v_numbers = true;
            END IF;
        END IF;
        IF v_looked_to = 0 THEN
            UPDATE dialer_screening SET passes = passes + 1 WHERE id = 1;
            -- All cases come after this, those of numbers that were called among them.
            SELECT greatest(v_attempts_to, coalesce((SELECT max(a.id) FROM dialer_calls a), 0),
                coalesce((SELECT max(a.id) FROM dialer_attempts a), 0)) INTO v_attempts_to;
            SELECT greatest(v_pauses_to, coalesce((SELECT max(p.id) FROM dialer_number_pauses p), 0)) INTO v_pauses_to;
        END IF;
        INSERT INTO dialer_looked (case_id)
        SELECT c.id FROM dialer_clients c WHERE c.id > v_looked_to ORDER BY c.id LIMIT p_n;
        SET v_looked = row_count(), v_is_last = v_looked < p_n;
        SELECT coalesce(max(k.case_id), v_looked_to) INTO v_looked_to FROM dialer_looked k;
        INSERT IGNORE INTO dialer_looked (case_id)
        SELECT c.id
        FROM (SELECT DISTINCT k.number FROM dialer_changes k WHERE k.number IS NOT NULL) n
        STRAIGHT_JOIN dialer_clients c ON c.number = n.number
        WHERE NOT c.used AND NOT c.checked;
        IF v_looked < p_n THEN
            FOR p IN (SELECT c.project_id FROM dialer_clients c GROUP BY c.project_id) DO
                INSERT IGNORE INTO dialer_looked (case_id)
                SELECT c.id FROM dialer_clients c FORCE INDEX (dialer_clients_held)
                WHERE c.project_id = p.project_id AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
                  AND c.held_until <= v_now
                LIMIT p_n;
                SET v_looked = v_looked + row_count();
            END FOR;
            DELETE FROM dialer_changes;
            INSERT INTO dialer_changes (id, number)
            SELECT a.id, a.number FROM dialer_calls a WHERE a.id > v_attempts_to ORDER BY a.id LIMIT 10000;
            INSERT IGNORE INTO dialer_changes (id, number)
            SELECT a.id, a.number FROM dialer_attempts a WHERE a.id > v_attempts_to ORDER BY a.id LIMIT 10000;
            -- Of two heaps only what is below both of their ends is whole.
            DELETE c FROM dialer_changes c
            STRAIGHT_JOIN (SELECT k.id FROM dialer_changes k ORDER BY k.id LIMIT 10000, 1) m ON c.id >= m.id;
            SELECT coalesce(max(c.id), v_attempts_to) INTO v_attempts_to FROM dialer_changes c;
            INSERT IGNORE INTO dialer_looked (case_id)
            SELECT c.id
            FROM (SELECT DISTINCT k.number FROM dialer_changes k) n
            STRAIGHT_JOIN dialer_clients c ON c.number = n.number
            WHERE NOT c.used AND NOT c.checked;
            SET v_looked = v_looked + row_count();
            DELETE FROM dialer_changes;
            INSERT INTO dialer_changes (id, number)
            SELECT p.id, p.number FROM dialer_number_pauses p WHERE p.id > v_pauses_to ORDER BY p.id LIMIT 10000;
            SELECT coalesce(max(c.id), v_pauses_to) INTO v_pauses_to FROM dialer_changes c;
            INSERT IGNORE INTO dialer_looked (case_id)
            SELECT c.id
            FROM (SELECT DISTINCT k.number FROM dialer_changes k) n
            STRAIGHT_JOIN dialer_clients c ON c.number = n.number
            WHERE NOT c.used AND NOT c.checked;
            SET v_looked = v_looked + row_count();
        END IF;
        IF v_looked < p_n THEN
            CALL dialer_case_numbers_prune(v_numbers_to, p_n, v_numbers_to);
        END IF;
        UPDATE dialer_screening
        SET numbers_to = v_numbers_to, looked_to = v_looked_to, attempts_to = v_attempts_to, pauses_to = v_pauses_to,
            looked_at = v_now, numbers = v_numbers AND NOT v_is_last
        WHERE id = 1;

        FOR p IN (
            SELECT DISTINCT k.project_id
            FROM (
                SELECT DISTINCT c.project_id, c.window_key
                FROM dialer_looked l STRAIGHT_JOIN dialer_clients c ON c.id = l.case_id
                WHERE NOT c.used
            ) k
            LEFT JOIN dialer_windows w ON w.project_id = k.project_id AND w.window_key = k.window_key
                AND w.evaluated_at <= v_now AND w.changes_at > v_now AND w.rules = (SELECT v.version FROM dialer_rules_version v)
            WHERE w.window_key IS NULL
        ) DO
            CALL dialer_windows_refresh(p.project_id, v_now);
        END FOR;
        -- The trigger writes the number that is right, and where it is.
        FOR k IN (
            SELECT c.id, c.number FROM dialer_looked l STRAIGHT_JOIN dialer_clients c ON c.id = l.case_id
            WHERE (v_numbers OR v_reads)
              AND (c.number_place = 1 AND c.number <> IF(left(c.phone_number, 1) = '+', c.phone_number,
                    dialer_number(c.phone_number, dialer_country(c.project_id)))
                OR concat(coalesce(c.number_region, ''), '|', coalesce(c.zones, '')) <> coalesce(dialer_place(c.number), '|'))
        ) DO
            CALL dialer_case_lock(k.id, v_locked);
            IF NOT v_locked THEN
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_clients SET number = IF(number_place = 1, '', number), number_region = '' WHERE id = k.id;
            ELSE
                INSERT INTO dialer_rule_changes (number, numbers) VALUES (k.number, true);
            END IF;
        END FOR;
        SET @dialer_now = NULL;
        CALL dialer_case_numbers_screen(v_now);
        -- As in dialer_pick. (An UPDATE of rows with their answers would ask about all cases there are.)
        SET STATEMENT timestamp = unix_timestamp(v_now) + 0.0000005 FOR
        INSERT INTO dialer_asked (case_id, own_reason)
        SELECT l.case_id, g.own_reason
        FROM dialer_looked l
        STRAIGHT_JOIN dialer_holdable h ON h.case_id = l.case_id
        STRAIGHT_JOIN dialer_gate_reasons g ON g.case_id = l.case_id;
        CALL dialer_hold_note(v_now, 1000000000);
        SET @dialer_now = v_set;
        INSERT INTO dialer_holding (case_id)
        SELECT a.case_id FROM dialer_asked a
        STRAIGHT_JOIN dialer_clients c ON c.id = a.case_id
        WHERE c.held_for IS NOT NULL
          AND NOT coalesce(a.own_reason IN ('do_not_call', 'number_limit', 'number_pause'), false);
        -- In two steps: a DELETE would lock the cases that it reads.
        DELETE FROM dialer_asked;
        INSERT INTO dialer_asked (case_id)
        SELECT h.case_id FROM dialer_holding h
        STRAIGHT_JOIN dialer_clients c ON c.id = h.case_id
        WHERE c.held_for <=> h.held_for AND c.held_until <=> h.held_until;
        DELETE h FROM dialer_holding h STRAIGHT_JOIN dialer_asked a ON a.case_id = h.case_id;
        SELECT count(*) INTO v_more FROM dialer_holding;
        IF v_more > 0 THEN
            CALL dialer_hold(v_more);
            INSERT INTO dialer_rule_changes (number, numbers)
            SELECT DISTINCT c.number, true
            FROM dialer_holding h
            STRAIGHT_JOIN dialer_clients c ON c.id = h.case_id
            LEFT JOIN dialer_lockable t ON t.case_id = h.case_id
            WHERE t.case_id IS NULL AND NOT c.used AND NOT c.checked;
            FOR p IN (
                SELECT DISTINCT c.project_id
                FROM dialer_holding h
                STRAIGHT_JOIN dialer_clients c ON c.id = h.case_id
                STRAIGHT_JOIN dialer_projects j ON j.project_id = c.project_id
                WHERE h.held_for IS NULL AND j.hungry AND j.wanted = 'start'
            ) DO
                CALL dialer_wake(p.project_id);
            END FOR;
        END IF;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_looked + coalesce(v_changes, 0) AS looked;
END
