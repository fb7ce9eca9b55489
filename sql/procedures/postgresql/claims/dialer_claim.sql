-- dialer_claim(p_worker, p_asterisk, p_epoch, p_project, p_n, p_now) -> place, case_id, kind, due_at, guarded,
--     dials, last_outcome
-- Claim up to p_n more cases for the owner of an Asterisk, in dial order; never more than the project's case_limit are
-- claimed and not yet dialled. Returns nothing if p_worker is no longer the owner or the project is not to be dialled.
-- Too few cases make the project hungry (an INSERT then wakes the worker) and settle its state: running
-- while something is in hand, idle until the next case is due, finished when nothing is left.
-- Cases that a rule keeps back are held on the way (held_for, held_until), up to 150 of them, and up to 500 (MariaDB:
-- 100) whose time has come wait again; mostly dialer_screen has been there before. Those of them that have further
-- numbers are looked at by it once more: they may move on.
-- Locks the project, then the cases; two callers take turns. Cases that somebody else's transaction holds are skipped,
-- up to 2000 of them; if that leaves nothing, dialer_warnings says so (claims_slow). While the trunk is failing, the
-- case whose last try is longest ago comes first, whatever the dial order. p_n 0 only settles the state. A claim on
-- another case that had the same id before is dropped.
-- guarded: the number was abandoned lately, and dialer_attempt_begin permits the call only with an agent guaranteed;
-- dials and last_outcome: the case's values in dialer_stat.
CREATE OR REPLACE FUNCTION dialer_claim(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_project varchar,
    p_n int,
    p_now timestamptz
)
RETURNS TABLE (
    place bigint,
    case_id bigint,
    kind varchar,
    due_at timestamptz,
    guarded bool,
    dials int,
    last_outcome varchar
)
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_project dialer_projects;
    v_case_limit int;
    v_trunk varchar;
    v_failing bool;
    v_now timestamptz;
    v_n int;
    v_got int := 0;
    v_reach int;
    v_cases bigint[];
    v_kinds varchar[];
    v_dues timestamptz[];
    v_locked bool;
    v_held bigint[];
    v_rules_held varchar[];
    v_untils timestamptz[];
    v_kept int;
    v_stuck int;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN;
    END IF;
    SELECT * INTO v_project FROM dialer_projects j WHERE j.project_id = p_project FOR UPDATE;
    v_now := dialer_instant(p_now);
    SELECT r.case_limit, r.trunk INTO v_case_limit, v_trunk FROM dialer_rules r WHERE r.project_id = p_project;
    IF v_project.wanted IS DISTINCT FROM 'start'
       OR v_case_limit IS NULL
       OR EXISTS (SELECT FROM dialer_fitness f WHERE f.project_id = p_project AND f.asterisk = p_asterisk) THEN
        RETURN;
    END IF;
    IF p_n = 0 THEN
        PERFORM dialer_project_settle(p_project, true, v_project.claims_slow, v_now);
        RETURN;
    END IF;
    v_n := least(p_n, v_case_limit - (
        SELECT count(*) FROM dialer_claims l WHERE l.project_id = p_project AND l.attempt_id IS NULL));
    IF v_n <= 0 THEN
        RETURN;
    END IF;
    IF (SELECT coalesce(bool_or(w.changes_at <= v_now OR w.evaluated_at > v_now
            OR w.rules <> (SELECT v.version FROM dialer_rules_version v)), true)
        FROM dialer_windows w WHERE w.project_id = p_project)
    THEN
        PERFORM dialer_windows_refresh(p_project, v_now);
    END IF;
    IF EXISTS (SELECT FROM dialer_held h WHERE h.project_id = p_project AND h.held_until <= v_now) THEN
        UPDATE dialer_clients c
        SET held_for = NULL, held_until = NULL
        WHERE c.id IN (
            SELECT h.id FROM dialer_clients h
            WHERE h.project_id = p_project AND NOT h.used AND NOT h.checked AND h.held_for IS NOT NULL
              AND h.held_until <= v_now
            ORDER BY h.held_until LIMIT 500 FOR UPDATE SKIP LOCKED);
    END IF;
    v_failing := EXISTS (
        SELECT FROM dialer_stat_trunk t
        WHERE t.trunk = v_trunk AND t.asterisk = p_asterisk AND t.state = 'failing');
    -- Where others hold the first ones, those behind them are looked at.
    v_reach := CASE WHEN v_failing THEN v_n + 2000 ELSE v_n END;
    LOOP
        v_kept := 0;
        v_stuck := 0;
        SELECT array_agg(k.case_id ORDER BY k.place) FILTER (WHERE k.held_for IS NULL),
            array_agg(k.kind ORDER BY k.place) FILTER (WHERE k.held_for IS NULL),
            array_agg(k.due_at ORDER BY k.place) FILTER (WHERE k.held_for IS NULL),
            array_agg(k.case_id ORDER BY k.case_id) FILTER (WHERE k.held_for IS NOT NULL),
            array_agg(k.held_for ORDER BY k.case_id) FILTER (WHERE k.held_for IS NOT NULL),
            array_agg(k.held_until ORDER BY k.case_id) FILTER (WHERE k.held_for IS NOT NULL)
        INTO v_cases, v_kinds, v_dues, v_held, v_rules_held, v_untils
        FROM (
            SELECT d.case_id, d.kind, d.due_at, d.held_for, d.held_until,
                row_number() OVER (ORDER BY CASE
                    WHEN v_failing THEN (SELECT c.tried_at FROM dialer_clients c WHERE c.id = d.case_id)
                END NULLS FIRST, d.place) AS place
            FROM dialer_pick(p_project, v_now, v_reach, true) d
        ) k;
        IF v_held IS NOT NULL THEN
            UPDATE dialer_clients c
            SET held_for = k.held_for, held_until = k.held_until
            FROM unnest(v_held, v_rules_held, v_untils) k (case_id, held_for, held_until)
            WHERE c.id = k.case_id
              AND c.id IN (
                SELECT o.id FROM dialer_clients o
                WHERE o.id = ANY (v_held) AND NOT o.used AND NOT o.checked
                ORDER BY o.id FOR UPDATE SKIP LOCKED);
            GET DIAGNOSTICS v_kept = ROW_COUNT;
            v_stuck := cardinality(v_held) - v_kept;
            INSERT INTO dialer_rule_changes (number)
            SELECT DISTINCT c.number
            FROM unnest(v_held, v_rules_held, v_untils) k (case_id, held_for, held_until)
            JOIN dialer_case_numbers f ON f.case_id = k.case_id
            JOIN dialer_clients c ON c.id = k.case_id
            WHERE k.held_for = 'do_not_call' AND k.held_until IS NULL;
        END IF;
        FOR place, case_id, kind, due_at, guarded, dials, last_outcome IN
            WITH picked AS MATERIALIZED (
                SELECT * FROM unnest(v_cases, v_kinds, v_dues) WITH ORDINALITY k (case_id, kind, due_at, place)
            ), free AS MATERIALIZED (
                SELECT k.case_id, k.kind, k.due_at, k.place, c.project_id, c.phone_number, c.number, c.inserted_at
                FROM picked k
                JOIN dialer_clients c ON c.id = k.case_id
                WHERE NOT c.used AND NOT c.checked
                ORDER BY k.place
                LIMIT v_n - v_got
                FOR UPDATE OF c SKIP LOCKED
            ), taken AS (
                INSERT INTO dialer_claims AS l (
                    case_id, project_id, asterisk, worker_id, epoch, kind, due_at, claimed_at, case_inserted_at)
                SELECT f.case_id, p_project, p_asterisk, p_worker, p_epoch, f.kind, f.due_at, v_now, f.inserted_at
                FROM free f
                ORDER BY f.place
                -- The claim on another case that had this id before is over.
                ON CONFLICT ON CONSTRAINT dialer_claims_pkey DO UPDATE
                SET project_id = excluded.project_id, asterisk = excluded.asterisk, worker_id = excluded.worker_id,
                    epoch = excluded.epoch, kind = excluded.kind, due_at = excluded.due_at, place = excluded.place,
                    claimed_at = excluded.claimed_at, case_inserted_at = excluded.case_inserted_at, attempt_id = NULL
                WHERE l.case_inserted_at <> excluded.case_inserted_at
                RETURNING l.place, l.case_id, l.kind, l.due_at
            ), marked AS (
                UPDATE dialer_clients SET checked = true WHERE id IN (SELECT t.case_id FROM taken t)
            )
            SELECT t.place, t.case_id, t.kind, t.due_at,
                EXISTS (SELECT FROM dialer_abandoned b WHERE b.number = f.number AND b.until_at > v_now),
                coalesce(s.dial_count, 0), s.state
            FROM taken t
            JOIN free f ON f.case_id = t.case_id
            LEFT JOIN dialer_stat s ON s.id = t.case_id
                AND (s.project_id, s.phone_number, s.case_inserted_at) = (f.project_id, f.phone_number, f.inserted_at)
            ORDER BY t.place
        LOOP
            v_got := v_got + 1;
            RETURN NEXT;
        END LOOP;
        v_locked := v_got < v_n AND (v_stuck > 0 OR EXISTS (
            SELECT FROM dialer_clients c WHERE c.id = ANY (v_cases) AND NOT c.used AND NOT c.checked));
        EXIT WHEN v_kept >= 150
            OR NOT v_locked
            -- Of those that a rule keeps back no more are handed out.
            OR coalesce(cardinality(v_cases), 0) + coalesce(cardinality(v_held), 0) < least(v_reach, 150)
            OR v_reach >= v_n + 2000;
        v_reach := CASE WHEN v_reach = v_n THEN v_n + 200 ELSE v_n + 2000 END;
    END LOOP;
    -- Where it has looked at as many as it may, nobody knows yet what comes behind them.
    PERFORM dialer_project_settle(p_project, v_got < v_n AND v_kept < 150,
        CASE WHEN v_got = 0 AND v_locked THEN 'an open transaction holds the first of its cases that wait' END, v_now);
END
$$
