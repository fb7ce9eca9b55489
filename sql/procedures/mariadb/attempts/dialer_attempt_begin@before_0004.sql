-- dialer_attempt_begin(p_worker, p_asterisk, p_epoch, p_project, p_requests, p_now) -> a row per request
-- The permission to dial, for claims of one project. p_requests: JSON array in dial order of
-- {"case_id", "channel_id", "action_id"}, the two ids random and new; "guaranteed": true if an agent is guaranteed for
-- this call (fewer calls in flight than free agents). With attempt_id: the attempt is written; once this is committed,
-- and only then, it may be originated as the row says. patience: seconds that an answered person waits in the queue
-- before the safe-harbour message; NULL: as long as the call lasts. message: the recording of the case, or the
-- project's; NULL: the context's own. Otherwise refusal:
--   not_owner, project_stopped, project_failing, no_trunk, trunk_failing  nothing may begin now
--   no_line, pacing         the project's or the trunk's lines; calls per second: ask again at retry_at
--   not_claimed, gone, used  this case: its claim is given back; gone: there is no case with that id and project, or it
--                           is not the one claimed; used: also by a call that ended while the case was away
--                           (dialer_away)
--   bad_number              this case: its phone_number is not one; it is used up, and dialer_warnings shows it
--   an own_reason of dialer_gate  this case; its claim is given back. number_in_call also: its number has just changed
--                           (its row of dialer_case_numbers, or the country)
--   number_abandoned        also if an agent could be guaranteed but the request gave no guarantee; its claim is given
--                           back, and it waits for five minutes (not_before_at)
--   caller_id_limit         this case: all caller IDs that apply to it (dialer_caller_id) are used up, the first is free
--                           again at retry_at. Its claim is given back; unless so it is for every case of the project,
--                           this one waits until then, but five minutes at the most (not_before_at), for the others
--   locked                  this case: somebody's open transaction holds it, and we do not wait; its claim is given
--                           back as soon as that is over (dialer_reap)
-- Locks, in this order: Asterisk, project, trunk (dialer_trunk_lock), numbers, caller IDs (dialer_caller_id_lock),
-- claims, cases. Two callers take turns.
CREATE OR REPLACE PROCEDURE dialer_attempt_begin(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_project varchar(400),
    p_requests longtext,
    p_now datetime(6)
)
BEGIN
    DECLARE v_owns tinyint(1);
    DECLARE v_now datetime(6);
    DECLARE v_wanted varchar(20);
    DECLARE v_unfit tinyint(1);
    DECLARE v_rules_project varchar(400);
    DECLARE v_type varchar(400);
    DECLARE v_lines bigint;
    DECLARE v_trunk varchar(400);
    DECLARE v_queue varchar(400);
    DECLARE v_exten varchar(400);
    DECLARE v_context varchar(400);
    DECLARE v_caller_id varchar(400);
    DECLARE v_dial_seconds decimal(9, 3);
    DECLARE v_abandon_seconds decimal(6, 3);
    DECLARE v_patience int;
    DECLARE v_amd tinyint(1);
    DECLARE v_machine_action varchar(400);
    DECLARE v_key_repeat varchar(400);
    DECLARE v_key_agent varchar(400);
    DECLARE v_key_opt_out varchar(400);
    DECLARE v_message varchar(400);
    DECLARE v_message_path varchar(410);
    DECLARE v_trunk_state varchar(20);
    DECLARE v_dial_template varchar(400);
    DECLARE v_answer varchar(200);
    DECLARE v_room int;
    DECLARE v_left bigint;
    DECLARE v_retry_at datetime(6);
    DECLARE v_base_at datetime(6);
    DECLARE v_gap decimal(20, 6);
    DECLARE v_begun int DEFAULT 0;
    DECLARE v_claim_inserted datetime(6);
    DECLARE v_window_key varchar(230);
    DECLARE v_inserted datetime(6);
    DECLARE v_refusal varchar(20);
    DECLARE v_claimed tinyint(1);
    DECLARE v_locked tinyint(1);
    DECLARE v_id bigint;
    DECLARE v_held bigint;
    DECLARE v_case_name varchar(1000);
    DECLARE v_case_project varchar(400);
    DECLARE v_phone_number varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_number_place int;
    DECLARE v_dialled varchar(400);
    DECLARE v_placed varchar(1100);
    DECLARE v_astray tinyint(1);
    DECLARE v_country varchar(400);
    DECLARE v_used tinyint(1);
    DECLARE v_deferred_time datetime(6);
    DECLARE v_deferred_done tinyint(1);
    DECLARE v_deferred_kind varchar(20);
    DECLARE v_redials_done int;
    DECLARE v_brought_back int;
    DECLARE v_attempt bigint;
    DECLARE v_freed bigint;
    DECLARE v_away bigint;
    DECLARE v_region varchar(400);
    DECLARE v_number_region varchar(400);
    DECLARE v_callers int DEFAULT 0;
    DECLARE v_numbers longtext;
    DECLARE v_place int;
    DECLARE v_free_at datetime(6);
    DECLARE v_is_project tinyint(1);
    DECLARE v_shown_number varchar(400);
    DECLARE v_shown varchar(400);
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
    -- The requests, and the answers to them.
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_begun (
        place int NOT NULL PRIMARY KEY,
        case_id bigint NOT NULL,
        channel_id varchar(100) NOT NULL,
        action_id varchar(100) NOT NULL,
        guaranteed tinyint(1) NOT NULL,
        is_locked tinyint(1) NOT NULL DEFAULT false,
        attempt_id bigint NULL,
        refusal varchar(20) NULL,
        retry_at datetime(6) NULL,
        caller_id varchar(200) NULL,
        taken varchar(400) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_begin_gate (
        place int NOT NULL PRIMARY KEY,
        own_reason varchar(20) NULL,
        abandoned_until_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    -- The project's caller IDs, and for each what dialer_caller_id_room says.
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_begin_callers (
        place int NOT NULL AUTO_INCREMENT PRIMARY KEY,
        id bigint NOT NULL,
        caller_id varchar(200) NOT NULL,
        number varchar(200) NOT NULL,
        digits varchar(200) NOT NULL,
        region varchar(40) NULL,
        prefix varchar(40) NULL,
        most_per_day int NULL,
        uses int NULL,
        last_attempt bigint NULL,
        free_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    DELETE FROM dialer_begin_callers;
    DELETE FROM dialer_begun;
    DELETE FROM dialer_begin_gate;
    -- JSON_TABLE came with 10.6.
    INSERT INTO dialer_begun (place, case_id, channel_id, action_id, guaranteed)
    SELECT s.seq + 1,
        json_value(p_requests, concat('$[', s.seq, '].case_id')),
        coalesce(json_value(p_requests, concat('$[', s.seq, '].channel_id')), ''),
        coalesce(json_value(p_requests, concat('$[', s.seq, '].action_id')), ''),
        coalesce(json_value(p_requests, concat('$[', s.seq, '].guaranteed')), 0)
    FROM seq_0_to_9999 s
    WHERE s.seq < json_length(p_requests);
    work: BEGIN
        CALL dialer_owns(p_worker, p_asterisk, p_epoch, v_owns);
        SELECT j.wanted INTO v_wanted
        FROM dialer_projects j WHERE j.project_id = p_project FOR UPDATE;
        SELECT r.project_id, r.type, r.`lines`, r.trunk, r.queue, r.exten, r.context, r.caller_id,
            r.dial_seconds, r.abandon_seconds,
            IF(r.type = 'predictive' AND r.abandon_action = 'message', ceil(r.abandon_seconds), NULL),
            r.amd, r.machine_action, r.key_repeat, r.key_agent, r.key_opt_out, r.message,
            concat('$."', r.message_field, '"'), coalesce(r.country, nullif(dialer_setting('country'), ''))
        INTO v_rules_project, v_type, v_lines, v_trunk, v_queue, v_exten, v_context, v_caller_id,
            v_dial_seconds, v_abandon_seconds, v_patience, v_amd, v_machine_action,
            v_key_repeat, v_key_agent, v_key_opt_out, v_message, v_message_path, v_country
        FROM dialer_rules r WHERE r.project_id = p_project;
        CALL dialer_trunk_lock(v_trunk, p_asterisk);
        SELECT t.state, t.dial_template INTO v_trunk_state, v_dial_template
        FROM dialer_stat_trunk t WHERE t.trunk = v_trunk AND t.asterisk = p_asterisk;
        SELECT count(*) > 0 INTO v_unfit
        FROM dialer_fitness f WHERE f.project_id = p_project AND f.asterisk = p_asterisk;
        SELECT dialer_instant(p_now) INTO v_now;
        SET v_refusal = CASE
            WHEN NOT v_owns THEN 'not_owner'
            WHEN NOT v_wanted <=> 'start' OR v_rules_project IS NULL THEN 'project_stopped'
            WHEN v_unfit THEN 'project_failing'
            WHEN v_trunk_state IS NULL THEN 'no_trunk'
        END;
        IF v_refusal IS NULL THEN
            SELECT dialer_trunk_room(v_trunk, p_asterisk, v_now) INTO v_answer;
            SET v_room = json_value(v_answer, '$.room'), v_retry_at = json_value(v_answer, '$.retry_at'),
                v_base_at = json_value(v_answer, '$.base_at'), v_gap = json_value(v_answer, '$.gap_seconds');
            IF v_room = 0 THEN
                SET v_refusal = CASE
                    WHEN v_trunk_state = 'failing' THEN 'trunk_failing'
                    WHEN v_retry_at IS NOT NULL THEN 'pacing'
                    ELSE 'no_line'
                END;
            ELSEIF v_lines > 0 THEN
                SELECT v_lines - count(*) INTO v_left FROM dialer_live l WHERE l.project_id = p_project;
                IF v_left < v_room THEN
                    SET v_room = v_left, v_retry_at = NULL;
                END IF;
                IF v_room <= 0 THEN
                    SET v_refusal = 'no_line';
                END IF;
            END IF;
        END IF;
        IF v_refusal IS NOT NULL THEN
            UPDATE dialer_begun SET refusal = v_refusal, retry_at = v_retry_at;
            LEAVE work;
        END IF;

        -- All numbers in one sorted statement: two projects that want the same ones cannot deadlock.
        INSERT IGNORE INTO dialer_live (number, case_id, project_id, asterisk, trunk)
        SELECT c.number, c.id, p_project, p_asterisk, v_trunk
        FROM dialer_begun q
        STRAIGHT_JOIN dialer_clients c ON c.id = q.case_id
        WHERE q.place <= v_room
        ORDER BY c.number, q.place;
        -- What it has taken is given back by its key: a search would lock rows of others on its way.
        FOR mine IN (
            SELECT l.number, l.case_id FROM dialer_live l WHERE l.project_id = p_project AND l.attempt_id IS NULL
        ) DO
            UPDATE dialer_begun SET taken = mine.number WHERE case_id = mine.case_id;
        END FOR;

        UPDATE dialer_begun SET refusal = IF(v_retry_at IS NULL, 'no_line', 'pacing'), retry_at = v_retry_at
        WHERE place > v_room;
        SELECT dialer_caller_id_number(v_caller_id, p_project) INTO v_shown_number;
        SELECT count(*) INTO v_callers FROM dialer_caller_id_rows i WHERE i.project_id = p_project;
        IF v_callers > 0 THEN
            INSERT INTO dialer_begin_callers (id, caller_id, number, digits, region, prefix, most_per_day)
            SELECT i.id, i.caller_id, i.number, trim(LEADING '+' FROM i.number), i.region, i.prefix, i.most_per_day
            FROM dialer_caller_id_rows i
            WHERE i.project_id = p_project
            ORDER BY i.id;
            -- JSON_ARRAYAGG came with 10.5; a number is digits and +.
            SELECT concat('["', group_concat(DISTINCT i.number SEPARATOR '","'), '"]') INTO v_numbers
            FROM dialer_begin_callers i WHERE i.most_per_day IS NOT NULL;
            CALL dialer_caller_id_lock(v_numbers);
            FOR caller IN (SELECT i.place, i.number, i.most_per_day FROM dialer_begin_callers i) DO
                SELECT dialer_caller_id_room(caller.number, caller.most_per_day, v_now) INTO v_answer;
                UPDATE dialer_begin_callers
                SET uses = json_value(v_answer, '$.uses'), last_attempt = json_value(v_answer, '$.last_attempt'),
                    free_at = json_value(v_answer, '$.free_at')
                WHERE place = caller.place;
            END FOR;
        END IF;
        -- First lock every row, so that what the gate then sees stays true.
        FOR request IN (SELECT q.place, q.case_id FROM dialer_begun q WHERE q.place <= v_room ORDER BY q.place) DO
            SET v_id = NULL;
            SELECT l.case_id INTO v_id FROM dialer_claims l WHERE l.case_id = request.case_id FOR UPDATE;
            CALL dialer_case_lock(request.case_id, v_locked);
            IF v_locked THEN
                UPDATE dialer_begun SET is_locked = true WHERE place = request.place;
            END IF;
        END FOR;
        SET @dialer_now = NULL;
        -- As in dialer_pick.
        SET STATEMENT timestamp = unix_timestamp(v_now) + 0.0000005 FOR
        INSERT INTO dialer_begin_gate (place, own_reason, abandoned_until_at)
        SELECT q.place, g.own_reason, g.abandoned_until_at
        FROM dialer_begun q
        STRAIGHT_JOIN dialer_gate g ON g.case_id = q.case_id
        WHERE q.place <= v_room;
        SET @dialer_now = v_set;

        FOR request IN (
            SELECT q.place, q.case_id, q.channel_id, q.action_id, q.guaranteed, q.is_locked, q.taken,
                g.own_reason, g.abandoned_until_at
            FROM dialer_begun q
            LEFT JOIN dialer_begin_gate g ON g.place = q.place
            WHERE q.place <= v_room
            ORDER BY q.place
        ) DO
            SET v_claimed = false, v_id = NULL;
            SELECT l.attempt_id IS NULL AND l.worker_id = p_worker AND l.asterisk = p_asterisk AND l.epoch = p_epoch,
                l.case_inserted_at
            INTO v_claimed, v_claim_inserted
            FROM dialer_claims l WHERE l.case_id = request.case_id FOR UPDATE;
            IF NOT request.is_locked THEN
                SELECT c.id, c.case_name, c.project_id, c.phone_number, c.number, c.region, c.number_region,
                    concat(coalesce(c.number_region, ''), '|', coalesce(c.zones, '')), c.used, c.deferred_time, c.deferred_done,
                    c.deferred_kind, c.redials_done, c.brought_back, c.inserted_at, c.number_place, c.window_key
                INTO v_id, v_case_name, v_case_project, v_phone_number, v_number, v_region, v_number_region,
                    v_placed, v_used, v_deferred_time, v_deferred_done,
                    v_deferred_kind, v_redials_done, v_brought_back, v_inserted, v_number_place, v_window_key
                FROM dialer_clients c WHERE c.id = request.case_id FOR UPDATE;
            END IF;
            SET v_dialled = v_phone_number;
            IF v_number_place > 1 THEN
                SET v_dialled = NULL;
                SELECT f.phone_number INTO v_dialled FROM dialer_case_numbers f
                WHERE f.case_id = v_id AND f.place = v_number_place AND f.case_inserted_at = v_inserted;
            END IF;
            SELECT NOT v_number <=> dialer_number(v_dialled, v_country) OR v_placed <> coalesce(dialer_place(v_number), '|')
            INTO v_astray;
            SELECT count(*) INTO v_held FROM dialer_live l
            WHERE l.number = v_number AND l.case_id = v_id AND l.attempt_id IS NULL;
            CALL dialer_away_end(v_id, v_away);
            SET v_refusal = CASE
                WHEN NOT v_claimed THEN 'not_claimed'
                WHEN request.is_locked THEN 'locked'
                WHEN v_id IS NULL OR v_case_project <> p_project OR v_inserted <> v_claim_inserted THEN 'gone'
                WHEN v_used OR v_away IS NOT NULL THEN 'used'
                WHEN v_dialled NOT REGEXP '^[+*#0-9]*[0-9][+*#0-9]*\\z' THEN 'bad_number'
                WHEN request.own_reason IS NOT NULL THEN request.own_reason
                -- Its project's country, its row or the prefixes have changed since it was written; the rules were asked
                -- about another telephone, or another place.
                WHEN v_astray THEN 'number_in_call'
                WHEN v_held = 0 THEN 'number_in_call'
                WHEN request.abandoned_until_at IS NOT NULL AND NOT request.guaranteed THEN 'number_abandoned'
            END;
            SET v_place = NULL, v_free_at = NULL;
            IF v_refusal IS NULL AND v_callers > 0 THEN
                CALL dialer_caller_id(v_number, v_region, v_number_region, v_place, v_free_at, v_is_project);
                SET v_refusal = IF(v_free_at IS NULL, NULL, 'caller_id_limit');
            END IF;
            IF v_refusal IS NOT NULL THEN
                DELETE FROM dialer_live WHERE number = request.taken AND attempt_id IS NULL;
                IF v_refusal = 'number_in_call' AND v_astray THEN
                    CALL dialer_number_follow(v_id, v_now);
                END IF;
                IF v_refusal = 'number_abandoned' AND request.own_reason IS NULL THEN
                    UPDATE dialer_clients
                    SET not_before_at = least(request.abandoned_until_at, v_now + INTERVAL 5 MINUTE)
                    WHERE id = v_id;
                END IF;
                IF v_refusal = 'caller_id_limit' AND NOT v_is_project THEN
                    UPDATE dialer_clients SET not_before_at = least(v_free_at, v_now + INTERVAL 5 MINUTE) WHERE id = v_id;
                END IF;
                IF v_refusal = 'used' AND v_away IS NOT NULL THEN
                    UPDATE dialer_clients SET used = true, last_attempt_id = v_away WHERE id = v_id;
                    DELETE FROM dialer_away WHERE case_id = v_id AND case_inserted_at = v_inserted;
                END IF;
                IF v_refusal = 'bad_number' THEN
                    -- last_attempt_id changes along with it, so that no check of the row's other columns gets in the
                    -- way.
                    UPDATE dialer_clients SET used = true, last_attempt_id = -1 WHERE id = v_id;
                    CALL dialer_trouble_write('case', v_id, p_asterisk, 'begin', concat('case ', v_id, ' of project ',
                        p_project, ' is used up: its phone_number is ''', v_dialled, ''''), v_now);
                END IF;
                IF v_refusal <> 'not_claimed' THEN
                    CALL dialer_claims_free(request.case_id, v_freed);
                END IF;
                UPDATE dialer_begun SET refusal = v_refusal, retry_at = v_free_at WHERE place = request.place;
            ELSE
                SET v_shown = v_shown_number;
                IF v_place IS NOT NULL THEN
                    SELECT i.number INTO v_shown FROM dialer_begin_callers i WHERE i.place = v_place;
                    UPDATE dialer_begun
                    SET caller_id = (SELECT i.caller_id FROM dialer_begin_callers i WHERE i.place = v_place)
                    WHERE place = request.place;
                END IF;
                INSERT INTO dialer_calls (
                    case_id, case_name, project_id, phone_number, number, case_inserted_at, asterisk, trunk, worker_id,
                    epoch, type, queue,
                    kind, due_at, redials_done, brought_back, channel_id, action_id, channel, dial_seconds,
                    abandon_seconds, begun_at, caller_id, number_place, window_key
                ) VALUES (
                    v_id, v_case_name, p_project, v_phone_number, v_number, v_inserted, p_asterisk, v_trunk,
                    p_worker, p_epoch, v_type, v_queue,
                    IF(v_deferred_time IS NULL OR v_deferred_done, 'fresh', v_deferred_kind),
                    IF(v_deferred_done, NULL, v_deferred_time),
                    v_redials_done, v_brought_back, request.channel_id, request.action_id,
                    replace(v_dial_template, '{number}', v_dialled), v_dial_seconds, v_abandon_seconds, v_now,
                    v_shown, v_number_place, v_window_key
                );
                SET v_attempt = last_insert_id();
                UPDATE dialer_claims SET attempt_id = v_attempt WHERE case_id = v_id;
                UPDATE dialer_live SET attempt_id = v_attempt WHERE number = v_number;
                -- This promise is being kept now; a callback promised from here on is a new one.
                UPDATE dialer_clients SET deferred_done = true
                WHERE id = v_id AND deferred_time IS NOT NULL AND NOT deferred_done;
                UPDATE dialer_begun SET attempt_id = v_attempt WHERE place = request.place;
                SET v_begun = v_begun + 1;
                IF v_callers > 0 THEN
                    FOR caller IN (
                        SELECT i.place, i.number, i.most_per_day FROM dialer_begin_callers i WHERE i.number = v_shown
                    ) DO
                        SELECT dialer_caller_id_room(caller.number, caller.most_per_day, v_now) INTO v_answer;
                        UPDATE dialer_begin_callers
                        SET uses = json_value(v_answer, '$.uses'), last_attempt = json_value(v_answer, '$.last_attempt'),
                            free_at = json_value(v_answer, '$.free_at')
                        WHERE place = caller.place;
                    END FOR;
                END IF;
            END IF;
        END FOR;
        IF v_begun > 0 THEN
            UPDATE dialer_trunk_states
            SET next_at = v_base_at + INTERVAL (v_begun * v_gap) SECOND
            WHERE trunk = v_trunk AND asterisk = p_asterisk;
        END IF;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT q.case_id, q.attempt_id, q.refusal, q.retry_at, a.case_name, a.phone_number, a.channel, a.channel_id,
        a.action_id,
        IF(a.id IS NULL, NULL, v_exten) AS exten,
        IF(a.id IS NULL, NULL, v_context) AS context,
        a.queue,
        IF(a.id IS NULL, NULL, coalesce(q.caller_id, v_caller_id)) AS caller_id,
        a.dial_seconds, a.abandon_seconds,
        IF(a.id IS NULL, NULL, v_patience) AS patience,
        IF(a.id IS NULL, NULL, v_amd) AS amd,
        IF(a.id IS NULL, NULL, v_machine_action) AS machine_action,
        IF(a.id IS NULL, NULL, v_key_repeat) AS key_repeat,
        IF(a.id IS NULL, NULL, v_key_agent) AS key_agent,
        IF(a.id IS NULL, NULL, v_key_opt_out) AS key_opt_out,
        -- What a list says becomes a file's name in Asterisk.
        IF(a.id IS NULL, NULL, IF(json_value(c.fields, v_message_path) REGEXP '^[A-Za-z0-9/_-]{1,200}\\z',
            json_value(c.fields, v_message_path), v_message)) AS message
    FROM dialer_begun q
    LEFT JOIN dialer_calls a ON a.id = q.attempt_id
    LEFT JOIN dialer_clients c ON v_message_path IS NOT NULL AND c.id = a.case_id
    ORDER BY q.place;
END
