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
CREATE OR REPLACE FUNCTION dialer_attempt_begin(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_project varchar,
    p_requests text,
    p_now timestamptz
)
RETURNS TABLE (
    case_id bigint,
    attempt_id bigint,
    refusal varchar,
    retry_at timestamptz,
    case_name varchar,
    phone_number varchar,
    channel varchar,
    channel_id varchar,
    action_id varchar,
    exten varchar,
    context varchar,
    queue varchar,
    caller_id varchar,
    dial_seconds numeric,
    abandon_seconds numeric,
    patience int,
    amd bool,
    machine_action varchar,
    key_repeat varchar,
    key_agent varchar,
    key_opt_out varchar,
    message varchar
)
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
-- Other styles write names of zones, and CST is not read as what it was written for.
SET datestyle TO 'ISO'
AS $$
DECLARE
    v_now timestamptz;
    v_project dialer_projects;
    v_rules dialer_rules;
    v_trunk dialer_stat_trunk;
    v_claim dialer_claims;
    v_case dialer_clients;
    v_astray bool;
    v_claims dialer_claims[] := '{}';
    v_cases dialer_clients[] := '{}';
    v_request record;
    v_patience int;
    v_room int;
    v_lines bigint;
    v_retry_at timestamptz;
    v_base_at timestamptz;
    v_gap numeric;
    v_begun int := 0;
    v_away bigint;
    v_country varchar;
    v_dialled varchar;
    v_refusal varchar;
    -- The project's caller IDs, and for each what dialer_caller_id_room says.
    v_callers dialer_caller_id_rows[];
    v_uses int[];
    v_last bigint[];
    v_free timestamptz[];
    v_used record;
    v_place int;
    v_is_project bool;
    v_shown varchar;
    v_shown_number varchar;
    -- As in dialer_pick.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        v_refusal := 'not_owner';
    END IF;
    SELECT * INTO v_project FROM dialer_projects j WHERE j.project_id = p_project FOR UPDATE;
    SELECT * INTO v_rules FROM dialer_rules r WHERE r.project_id = p_project;
    PERFORM dialer_trunk_lock(v_rules.trunk, p_asterisk) WHERE v_rules.trunk IS NOT NULL;
    SELECT * INTO v_trunk FROM dialer_stat_trunk t WHERE t.trunk = v_rules.trunk AND t.asterisk = p_asterisk;
    v_now := dialer_instant(p_now);
    v_refusal := CASE
        WHEN v_refusal IS NOT NULL THEN v_refusal
        WHEN v_project.wanted IS DISTINCT FROM 'start' OR v_rules.project_id IS NULL THEN 'project_stopped'
        WHEN EXISTS (SELECT FROM dialer_fitness f WHERE f.project_id = p_project AND f.asterisk = p_asterisk)
            THEN 'project_failing'
        WHEN v_trunk.trunk IS NULL THEN 'no_trunk'
    END;
    IF v_refusal IS NULL THEN
        SELECT t.room, t.retry_at, t.base_at, t.gap_seconds INTO v_room, v_retry_at, v_base_at, v_gap
        FROM dialer_trunk_room(v_rules.trunk, p_asterisk, v_now) t;
        IF v_room = 0 THEN
            v_refusal := CASE
                WHEN v_trunk.state = 'failing' THEN 'trunk_failing'
                WHEN v_retry_at IS NOT NULL THEN 'pacing'
                ELSE 'no_line'
            END;
        ELSIF v_rules.lines > 0 THEN
            SELECT v_rules.lines - count(*) INTO v_lines FROM dialer_live l WHERE l.project_id = p_project;
            IF v_lines < v_room THEN
                v_room := v_lines;
                v_retry_at := NULL;
            END IF;
            IF v_room <= 0 THEN
                v_refusal := 'no_line';
            END IF;
        END IF;
    END IF;
    IF v_refusal IS NOT NULL THEN
        FOR v_request IN
            SELECT (q.value ->> 'case_id')::bigint AS case_id
            FROM jsonb_array_elements(p_requests::jsonb) WITH ORDINALITY q (value, ordinality)
            ORDER BY q.ordinality
        LOOP
            case_id := v_request.case_id;
            refusal := v_refusal;
            retry_at := v_retry_at;
            RETURN NEXT;
        END LOOP;
        RETURN;
    END IF;

    v_country := coalesce(v_rules.country, nullif(dialer_setting('country'), ''));
    IF v_rules.type = 'predictive' AND v_rules.abandon_action = 'message' THEN
        v_patience := ceil(v_rules.abandon_seconds);
    END IF;
    -- All numbers in one sorted statement: two projects that want the same ones cannot deadlock.
    INSERT INTO dialer_live (number, case_id, project_id, asterisk, trunk)
    SELECT DISTINCT ON (c.number) c.number, c.id, p_project, p_asterisk, v_rules.trunk
    FROM jsonb_array_elements(p_requests::jsonb) WITH ORDINALITY q (value, ordinality)
    JOIN dialer_clients c ON c.id = (q.value ->> 'case_id')::bigint
    WHERE q.ordinality <= v_room
    ORDER BY c.number, q.ordinality
    ON CONFLICT DO NOTHING;

    v_shown_number := dialer_caller_id_number(v_rules.caller_id, p_project);
    IF EXISTS (SELECT FROM dialer_caller_id_rows i WHERE i.project_id = p_project) THEN
        SELECT array_agg(i ORDER BY i.id) INTO v_callers FROM dialer_caller_id_rows i WHERE i.project_id = p_project;
        PERFORM dialer_caller_id_lock(jsonb_agg(DISTINCT i.number)::text)
        FROM unnest(v_callers) i WHERE i.most_per_day IS NOT NULL;
        SELECT array_agg(m.uses ORDER BY i.id), array_agg(m.last_attempt ORDER BY i.id), array_agg(m.free_at ORDER BY i.id)
        INTO v_uses, v_last, v_free
        FROM unnest(v_callers) i
        CROSS JOIN LATERAL dialer_caller_id_room(i.number, i.most_per_day, v_now) m;
    END IF;
    -- First lock every row, so that what the gate then sees stays true.
    FOR v_request IN
        SELECT (q.value ->> 'case_id')::bigint AS case_id
        FROM jsonb_array_elements(p_requests::jsonb) WITH ORDINALITY q (value, ordinality)
        WHERE q.ordinality <= v_room
        ORDER BY q.ordinality
    LOOP
        SELECT * INTO v_claim FROM dialer_claims l WHERE l.case_id = v_request.case_id FOR UPDATE;
        SELECT * INTO v_case FROM dialer_clients c WHERE c.id = v_request.case_id FOR UPDATE SKIP LOCKED;
        v_claims := v_claims || v_claim;
        v_cases := v_cases || v_case;
    END LOOP;

    PERFORM set_config('dialer.now', v_now::text, true);
    FOR v_request IN
        SELECT q.case_id, q.channel_id, q.action_id, q.is_guaranteed, q.place, q.place <= v_room AS has_room,
            q.is_repeated, g.own_reason, g.abandoned_until_at
        FROM (
            SELECT (r.value ->> 'case_id')::bigint AS case_id,
                r.value ->> 'channel_id' AS channel_id,
                r.value ->> 'action_id' AS action_id,
                coalesce((r.value ->> 'guaranteed')::bool, false) AS is_guaranteed,
                r.ordinality::int AS place,
                row_number() OVER (PARTITION BY r.value ->> 'case_id' ORDER BY r.ordinality) > 1 AS is_repeated
            FROM jsonb_array_elements(p_requests::jsonb) WITH ORDINALITY r (value, ordinality)
        ) q
        LEFT JOIN LATERAL (
            SELECT o.own_reason, o.abandoned_until_at
            FROM dialer_gate o
            WHERE o.case_id = q.case_id AND q.place <= v_room
            OFFSET 0
        ) g ON true
        ORDER BY q.place
    LOOP
        case_id := v_request.case_id;
        attempt_id := NULL;
        refusal := NULL;
        retry_at := NULL;
        case_name := NULL;
        phone_number := NULL;
        channel := NULL;
        channel_id := NULL;
        action_id := NULL;
        exten := NULL;
        context := NULL;
        queue := NULL;
        caller_id := NULL;
        dial_seconds := NULL;
        abandon_seconds := NULL;
        patience := NULL;
        amd := NULL;
        machine_action := NULL;
        key_repeat := NULL;
        key_agent := NULL;
        key_opt_out := NULL;
        message := NULL;
        IF NOT v_request.has_room THEN
            refusal := CASE WHEN v_retry_at IS NULL THEN 'no_line' ELSE 'pacing' END;
            retry_at := v_retry_at;
            RETURN NEXT;
            CONTINUE;
        END IF;
        v_claim := v_claims[v_request.place];
        v_case := v_cases[v_request.place];
        v_away := dialer_away_end(v_case.id);
        v_dialled := v_case.phone_number;
        IF v_case.number_place > 1 THEN
            v_dialled := (
                SELECT f.phone_number FROM dialer_case_numbers f
                WHERE f.case_id = v_case.id AND f.place = v_case.number_place
                  AND f.case_inserted_at = v_case.inserted_at);
        END IF;
        v_astray := v_case.number IS DISTINCT FROM dialer_number(v_dialled, v_country)
            OR coalesce(v_case.number_region, '') || '|' || coalesce(v_case.zones, '') <> coalesce(dialer_place(v_case.number), '|');
        refusal := CASE
            WHEN v_claim.case_id IS NULL
                OR v_claim.attempt_id IS NOT NULL
                OR v_request.is_repeated
                OR (v_claim.worker_id, v_claim.asterisk, v_claim.epoch) <> (p_worker, p_asterisk, p_epoch)
                THEN 'not_claimed'
            WHEN v_case.id IS NULL AND EXISTS (SELECT FROM dialer_clients c WHERE c.id = v_request.case_id)
                THEN 'locked'
            WHEN v_case.id IS NULL OR v_case.project_id <> p_project OR v_case.inserted_at <> v_claim.case_inserted_at
                THEN 'gone'
            WHEN v_case.used OR v_away IS NOT NULL THEN 'used'
            WHEN v_dialled !~ '^[+*#0-9]*[0-9][+*#0-9]*$' THEN 'bad_number'
            WHEN v_request.own_reason IS NOT NULL THEN v_request.own_reason
            -- Its project's country, its row or the prefixes have changed since it was written; the rules were asked about
            -- another telephone, or another place.
            WHEN v_astray THEN 'number_in_call'
            WHEN NOT EXISTS (
                SELECT FROM dialer_live l
                WHERE l.number = v_case.number
                  AND l.case_id = v_case.id AND l.attempt_id IS NULL) THEN 'number_in_call'
            WHEN v_request.abandoned_until_at IS NOT NULL AND NOT v_request.is_guaranteed THEN 'number_abandoned'
        END;
        v_place := NULL;
        IF refusal IS NULL AND v_callers IS NOT NULL THEN
            SELECT i.place, i.retry_at, i.is_project INTO v_place, retry_at, v_is_project
            FROM dialer_caller_id(v_callers, v_uses, v_last, v_free, v_case.number, v_case.region,
                v_case.number_region) i;
            refusal := CASE WHEN retry_at IS NOT NULL THEN 'caller_id_limit' END;
        END IF;
        IF refusal IS NOT NULL THEN
            DELETE FROM dialer_live l
            WHERE l.case_id = v_request.case_id AND l.project_id = p_project AND l.attempt_id IS NULL;
            IF refusal = 'number_in_call' AND v_astray THEN
                PERFORM dialer_number_follow(v_case.id, v_now);
            END IF;
            IF refusal = 'number_abandoned' AND v_request.own_reason IS NULL THEN
                UPDATE dialer_clients c
                SET not_before_at = least(v_request.abandoned_until_at, v_now + interval '5 minutes')
                WHERE c.id = v_case.id;
            END IF;
            IF refusal = 'caller_id_limit' AND NOT v_is_project THEN
                UPDATE dialer_clients c
                SET not_before_at = least(dialer_attempt_begin.retry_at, v_now + interval '5 minutes')
                WHERE c.id = v_case.id;
            END IF;
            IF refusal = 'used' AND v_away IS NOT NULL THEN
                UPDATE dialer_clients c SET used = true, last_attempt_id = v_away WHERE c.id = v_case.id;
                DELETE FROM dialer_away w WHERE w.case_id = v_case.id AND w.case_inserted_at = v_case.inserted_at;
            END IF;
            IF refusal = 'bad_number' THEN
                -- last_attempt_id changes along with it, so that no check of the row's other columns gets in the way.
                UPDATE dialer_clients c SET used = true, last_attempt_id = -1 WHERE c.id = v_case.id;
                PERFORM dialer_trouble_write('case', v_case.id::varchar, p_asterisk, 'begin', 'case ' || v_case.id
                    || ' of project ' || p_project || ' is used up: its phone_number is ''' || v_dialled || '''',
                    v_now);
            END IF;
            IF refusal <> 'not_claimed' THEN
                PERFORM dialer_claims_free(ARRAY[v_request.case_id]);
            END IF;
            RETURN NEXT;
            CONTINUE;
        END IF;
        caller_id := v_rules.caller_id;
        v_shown := v_shown_number;
        IF v_place IS NOT NULL THEN
            caller_id := (v_callers[v_place]).caller_id;
            v_shown := (v_callers[v_place]).number;
        END IF;
        channel := replace(v_trunk.dial_template, '{number}', v_dialled);
        INSERT INTO dialer_calls AS a (
            case_id, case_name, project_id, phone_number, number, case_inserted_at, asterisk, trunk, worker_id, epoch,
            type, queue,
            kind, due_at, redials_done, brought_back, channel_id, action_id, channel, dial_seconds,
            abandon_seconds, begun_at, caller_id, number_place, window_key
        ) VALUES (
            v_case.id, v_case.case_name, p_project, v_case.phone_number, v_case.number, v_case.inserted_at, p_asterisk,
            v_rules.trunk,
            p_worker, p_epoch, v_rules.type, v_rules.queue,
            CASE WHEN v_case.deferred_time IS NULL OR v_case.deferred_done THEN 'fresh'
                ELSE v_case.deferred_kind END,
            CASE WHEN NOT v_case.deferred_done THEN v_case.deferred_time END,
            v_case.redials_done, v_case.brought_back, v_request.channel_id, v_request.action_id, channel,
            v_rules.dial_seconds, v_rules.abandon_seconds, v_now, v_shown, v_case.number_place, v_case.window_key
        ) RETURNING a.id INTO attempt_id;
        UPDATE dialer_claims l SET attempt_id = dialer_attempt_begin.attempt_id WHERE l.case_id = v_case.id;
        UPDATE dialer_live l SET attempt_id = dialer_attempt_begin.attempt_id
        WHERE l.number = v_case.number;
        -- This promise is being kept now; a callback promised from here on is a new one.
        UPDATE dialer_clients c SET deferred_done = true
        WHERE c.id = v_case.id AND c.deferred_time IS NOT NULL AND NOT c.deferred_done;
        case_name := v_case.case_name;
        phone_number := v_case.phone_number;
        channel_id := v_request.channel_id;
        action_id := v_request.action_id;
        exten := v_rules.exten;
        context := v_rules.context;
        queue := v_rules.queue;
        dial_seconds := v_rules.dial_seconds;
        abandon_seconds := v_rules.abandon_seconds;
        patience := v_patience;
        amd := v_rules.amd;
        machine_action := v_rules.machine_action;
        key_repeat := v_rules.key_repeat;
        key_agent := v_rules.key_agent;
        key_opt_out := v_rules.key_opt_out;
        -- What a list says becomes a file's name in Asterisk.
        message := CASE WHEN v_case.fields ->> v_rules.message_field ~ '^[A-Za-z0-9/_-]{1,200}$'
            THEN v_case.fields ->> v_rules.message_field ELSE v_rules.message END;
        v_begun := v_begun + 1;
        FOR v_each IN 1 .. coalesce(cardinality(v_callers), 0) LOOP
            IF (v_callers[v_each]).number = v_shown THEN
                SELECT * INTO v_used FROM dialer_caller_id_room(v_shown, (v_callers[v_each]).most_per_day, v_now);
                v_uses[v_each] := v_used.uses;
                v_last[v_each] := v_used.last_attempt;
                v_free[v_each] := v_used.free_at;
            END IF;
        END LOOP;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('dialer.now', v_set, true);
    UPDATE dialer_trunk_states s
    SET next_at = v_base_at + v_begun * v_gap * interval '1 second'
    WHERE s.trunk = v_rules.trunk AND s.asterisk = p_asterisk AND v_begun > 0;
END
$$
