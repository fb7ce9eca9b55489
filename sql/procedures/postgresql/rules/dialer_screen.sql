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
CREATE OR REPLACE FUNCTION dialer_screen(p_n int, p_now timestamptz)
RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
-- Other styles write names of zones, and CST is not read as what it was written for.
SET datestyle TO 'ISO'
AS $$
DECLARE
    v_seen dialer_screening;
    v_cases bigint[];
    v_changes int;
    v_numbers varchar[];
    v_locked varchar[];
    v_looked int;
    v_last bigint;
    v_is_last bool;
    v_project varchar;
    v_now CONSTANT timestamptz := dialer_instant(p_now);
    -- As in dialer_pick.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    SELECT * INTO v_seen FROM dialer_screening s FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- What is committed by now is seen by all that follows.
    WITH changes AS (
        DELETE FROM dialer_rule_changes c
        WHERE c.id IN (SELECT k.id FROM dialer_rule_changes k ORDER BY k.id LIMIT 10000 FOR UPDATE SKIP LOCKED)
        RETURNING c.number, c.numbers
    )
    -- Those that were locked the last time apart: nobody is to ask again at once because of them.
    SELECT count(*) FILTER (WHERE k.number IS NULL OR NOT k.numbers),
        coalesce(array_agg(DISTINCT k.number) FILTER (WHERE NOT k.numbers), '{}'),
        coalesce(array_agg(DISTINCT k.number) FILTER (WHERE k.number IS NOT NULL AND k.numbers), '{}'),
        CASE
            WHEN coalesce(bool_or(k.number IS NULL), false)
                OR EXISTS (SELECT FROM dialer_dnc d WHERE d.from_at > v_seen.looked_at AND d.from_at <= v_now)
                OR EXISTS (SELECT FROM dialer_rules r WHERE r.scrub_blocks AND r.list_until > v_seen.looked_at
                    AND r.list_until <= v_now) THEN 0
            ELSE v_seen.looked_to
        END,
        v_seen.numbers OR coalesce(bool_or(k.number IS NULL AND k.numbers), false)
    INTO v_changes, v_numbers, v_locked, v_seen.looked_to, v_seen.numbers
    FROM changes k;
    IF v_seen.looked_to = 0 THEN
        v_seen.passes := v_seen.passes + 1;
        PERFORM dialer_numbering_refresh();
        -- All cases come after this, those of numbers that were called among them.
        v_seen.attempts_to := greatest(v_seen.attempts_to, (SELECT max(a.id) FROM dialer_calls a),
            (SELECT max(a.id) FROM dialer_attempts a));
        v_seen.pauses_to := greatest(v_seen.pauses_to, (SELECT max(p.id) FROM dialer_number_pauses p));
    END IF;
    v_cases := ARRAY(SELECT c.id FROM dialer_clients c WHERE c.id > v_seen.looked_to ORDER BY c.id LIMIT p_n);
    v_is_last := cardinality(v_cases) < p_n;
    v_seen.looked_to := coalesce(v_cases[cardinality(v_cases)], v_seen.looked_to);
    v_cases := v_cases || ARRAY(
        SELECT c.id FROM dialer_clients c
        WHERE c.number = ANY (v_numbers) AND NOT c.used AND NOT c.checked AND NOT c.id = ANY (v_cases));
    IF cardinality(v_cases) < p_n THEN
        v_cases := v_cases || ARRAY(
            SELECT h.id FROM (SELECT DISTINCT p.project_id FROM dialer_params p) p
            CROSS JOIN LATERAL (
                SELECT d.id FROM dialer_held d
                WHERE d.project_id = p.project_id AND d.held_until <= v_now
                ORDER BY d.held_until LIMIT p_n
            ) h
            LIMIT p_n);
        SELECT array_agg(a.number), max(a.id) INTO v_numbers, v_last
        FROM (
            SELECT * FROM (
                SELECT c.id, c.number FROM dialer_calls c
                UNION ALL
                SELECT d.id, d.number FROM dialer_attempts d
            ) both_of_them
            WHERE both_of_them.id > v_seen.attempts_to
            ORDER BY both_of_them.id LIMIT 10000
        ) a;
        v_seen.attempts_to := coalesce(v_last, v_seen.attempts_to);
        SELECT v_numbers || array_agg(p.number), max(p.id) INTO v_numbers, v_last
        FROM (
            SELECT n.id, n.number FROM dialer_number_pauses n
            WHERE n.id > v_seen.pauses_to
            ORDER BY n.id LIMIT 10000
        ) p;
        v_seen.pauses_to := coalesce(v_last, v_seen.pauses_to);
        v_cases := v_cases || ARRAY(
            SELECT c.id FROM dialer_clients c
            WHERE c.number = ANY (v_numbers) AND NOT c.used AND NOT c.checked AND NOT c.id = ANY (v_cases));
    END IF;
    IF cardinality(v_cases) < p_n THEN
        v_seen.numbers_to := dialer_case_numbers_prune(v_seen.numbers_to, p_n);
    END IF;
    UPDATE dialer_screening
    SET numbers_to = v_seen.numbers_to, looked_to = v_seen.looked_to, attempts_to = v_seen.attempts_to,
        pauses_to = v_seen.pauses_to, looked_at = v_now, passes = v_seen.passes,
        numbers = v_seen.numbers AND NOT v_is_last;
    v_looked := cardinality(v_cases) + v_changes;
    v_cases := v_cases || ARRAY(
        SELECT c.id FROM dialer_clients c
        WHERE c.number = ANY (v_locked) AND NOT c.used AND NOT c.checked AND NOT c.id = ANY (v_cases));
    PERFORM dialer_windows_refresh(k.project_id, v_now)
    FROM (SELECT DISTINCT c.project_id FROM dialer_clients c WHERE c.id = ANY (v_cases)) k;

    -- The trigger writes the number that is right, and where it is.
    IF v_seen.numbers OR v_locked <> '{}' THEN
        WITH wrong AS MATERIALIZED (
            SELECT k.id, k.number
            FROM dialer_clients k
            -- As dialer_country and dialer_place, without a call for each.
            LEFT JOIN dialer_numbering y ON y.project_id = k.project_id
            LEFT JOIN dialer_numbering a ON a.project_id = ''
            LEFT JOIN LATERAL (
                SELECT n.region, n.zones FROM dialer_number_ranges n
                WHERE k.number LIKE '+%' AND n.begins <= substr(k.number, 2)
                ORDER BY n.begins DESC LIMIT 1
            ) r ON true
            WHERE k.id = ANY (v_cases)
              AND (k.number_place = 1 AND k.number <> CASE WHEN k.phone_number LIKE '+%' THEN k.phone_number
                    ELSE dialer_number(k.phone_number, coalesce(y.country, a.country)) END
                OR (coalesce(k.number_region, ''), coalesce(k.zones, '')) <> (coalesce(r.region, ''), coalesce(r.zones, '')))
        ), free AS MATERIALIZED (
            SELECT k.id FROM dialer_clients k WHERE k.id IN (SELECT w.id FROM wrong w) ORDER BY k.id FOR UPDATE SKIP LOCKED
        ), mended AS (
            UPDATE dialer_clients c
            SET number = CASE WHEN c.number_place = 1 THEN '' ELSE c.number END, number_region = ''
            WHERE c.id IN (SELECT f.id FROM free f)
        )
        INSERT INTO dialer_rule_changes (number, numbers)
        SELECT DISTINCT w.number, true FROM wrong w WHERE w.id NOT IN (SELECT f.id FROM free f);
    END IF;
    PERFORM set_config('dialer.now', v_now::text, true);
    PERFORM dialer_case_numbers_screen(v_cases, v_now);
    FOR v_project IN
        WITH due AS MATERIALIZED (
            SELECT k.id, g.held_for, g.held_until
            FROM unnest(v_cases) one (id)
            JOIN dialer_holdable h ON h.case_id = one.id
            JOIN dialer_clients k ON k.id = one.id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN dialer_holds(o.own_reason) THEN o.own_reason END AS held_for,
                    CASE WHEN dialer_holds(o.own_reason) THEN o.own_until_at END AS held_until
                FROM dialer_gate o WHERE o.case_id = k.id
                OFFSET 0
            ) g
            WHERE (k.held_for, k.held_until) IS DISTINCT FROM (g.held_for, g.held_until)
        ), free AS MATERIALIZED (
            SELECT k.id FROM dialer_clients k JOIN due d ON d.id = k.id
            WHERE NOT k.used AND NOT k.checked
            ORDER BY k.id FOR UPDATE OF k SKIP LOCKED
        ), written AS (
            UPDATE dialer_clients c
            SET held_for = d.held_for, held_until = d.held_until
            FROM due d
            WHERE c.id = d.id AND d.id IN (SELECT o.id FROM free o)
            RETURNING c.project_id, c.held_for
        ), left_over AS (
            INSERT INTO dialer_rule_changes (number, numbers)
            SELECT DISTINCT k.number, true
            FROM due d
            JOIN dialer_clients k ON k.id = d.id
            WHERE d.id NOT IN (SELECT o.id FROM free o)
        )
        SELECT DISTINCT w.project_id FROM written w WHERE w.held_for IS NULL
    LOOP
        PERFORM dialer_wake(p.project_id)
        FROM dialer_projects p WHERE p.project_id = v_project AND p.hungry AND p.wanted = 'start';
    END LOOP;
    PERFORM set_config('dialer.now', v_set, true);
    RETURN v_looked;
END
$$
