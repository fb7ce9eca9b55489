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
CREATE OR REPLACE PROCEDURE dialer_claim(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_project varchar(400),
    p_n int,
    p_now datetime(6)
)
BEGIN
    DECLARE v_owns tinyint(1);
    DECLARE v_wanted varchar(20);
    DECLARE v_slow varchar(400);
    DECLARE v_settled tinyint(1);
    DECLARE v_trunk varchar(400);
    DECLARE v_failing tinyint(1);
    DECLARE v_unfit tinyint(1);
    DECLARE v_now datetime(6);
    DECLARE v_limit bigint;
    DECLARE v_n int;
    DECLARE v_got int DEFAULT 0;
    DECLARE v_reach int;
    DECLARE v_picked int;
    DECLARE v_claimed int;
    DECLARE v_locked tinyint(1) DEFAULT false;
    DECLARE v_due int;
    DECLARE v_held int DEFAULT 0;
    DECLARE v_kept int DEFAULT 0;
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
    IF NOT @dialer_temporaries <=> schema() THEN
        CALL dialer_temporaries();
    END IF;
    DELETE FROM dialer_taken;
    work: BEGIN
        CALL dialer_owns(p_worker, p_asterisk, p_epoch, v_owns);
        IF NOT v_owns THEN
            LEAVE work;
        END IF;
        SELECT j.wanted, j.claims_slow,
            j.state = 'running' AND NOT j.hungry AND j.until_at IS NULL AND j.claims_slow IS NULL
        INTO v_wanted, v_slow, v_settled
        FROM dialer_projects j WHERE j.project_id = p_project FOR UPDATE;
        -- In one statement: such questions cost what it takes to plan and begin a statement, not what they read.
        SELECT dialer_instant(p_now), r.case_limit, r.trunk,
            least(p_n, r.case_limit - (
                SELECT count(*) FROM dialer_claims l WHERE l.project_id = p_project AND l.attempt_id IS NULL)),
            EXISTS (SELECT 1 FROM dialer_fitness f WHERE f.project_id = p_project AND f.asterisk = p_asterisk),
            EXISTS (
                SELECT 1 FROM dialer_trunk_states s
                WHERE s.trunk = r.trunk AND s.asterisk = p_asterisk AND s.state = 'failing')
        INTO v_now, v_limit, v_trunk, v_n, v_unfit, v_failing
        FROM dialer_rules r WHERE r.project_id = p_project;
        IF NOT v_wanted <=> 'start' OR v_limit IS NULL OR v_unfit THEN
            LEAVE work;
        END IF;
        IF p_n = 0 THEN
            CALL dialer_project_settle(p_project, true, v_slow, v_now);
            LEAVE work;
        END IF;
        IF v_n <= 0 THEN
            LEAVE work;
        END IF;
        SELECT coalesce(max(w.changes_at <= v_now OR w.evaluated_at > v_now
                OR w.rules <> (SELECT v.version FROM dialer_rules_version v)), true),
            EXISTS (
                SELECT 1 FROM dialer_clients c FORCE INDEX (dialer_clients_held)
                WHERE c.project_id = p_project AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
                  AND c.held_until <= v_now)
        INTO v_due, v_held
        FROM dialer_windows w WHERE w.project_id = p_project;
        IF v_due THEN
            CALL dialer_windows_refresh(p_project, v_now);
        END IF;
        IF v_held THEN
            DELETE FROM dialer_holding;
            INSERT INTO dialer_holding (case_id)
            SELECT c.id FROM dialer_clients c FORCE INDEX (dialer_clients_held)
            WHERE c.project_id = p_project AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
              AND c.held_until <= v_now
            LIMIT 100;
            CALL dialer_hold(v_due);
        END IF;
        IF v_failing THEN
            -- Still, with the dial_template that it has now?
            SELECT count(*) > 0 INTO v_failing FROM dialer_stat_trunk t
            WHERE t.trunk = v_trunk AND t.asterisk = p_asterisk AND t.state = 'failing';
        END IF;
        -- Where others hold the first ones, those behind them are looked at.
        SET v_reach = IF(v_failing, v_n + 2000, v_n);
        reach: LOOP
            CALL dialer_pick(p_project, v_now, v_reach, true);
            SELECT count(*), 0 INTO v_held, v_kept FROM dialer_holding;
            IF v_held > 0 THEN
                CALL dialer_hold(v_kept);
                INSERT INTO dialer_rule_changes (number)
                SELECT DISTINCT c.number
                FROM dialer_holding h
                STRAIGHT_JOIN dialer_case_numbers f ON f.case_id = h.case_id
                STRAIGHT_JOIN dialer_clients c ON c.id = h.case_id
                WHERE h.held_for = 'do_not_call' AND h.held_until IS NULL;
            END IF;
            SELECT count(*), count(l.case_id) INTO v_picked, v_claimed
            FROM dialer_picked k
            LEFT JOIN dialer_claims l ON l.case_id = k.case_id FOR UPDATE;
            IF v_failing THEN
                UPDATE dialer_picked k
                JOIN (
                    SELECT d.case_id, row_number() OVER (ORDER BY c.tried_at IS NOT NULL, c.tried_at, d.place) AS place
                    FROM dialer_picked d
                    JOIN dialer_clients c ON c.id = d.case_id
                ) o ON o.case_id = k.case_id
                -- After all the others, so that two rows never have the same place in between.
                SET k.place = o.place + 1000000;
            END IF;
            IF v_claimed > 0 THEN
                DELETE l FROM dialer_picked k
                STRAIGHT_JOIN dialer_claims l ON l.case_id = k.case_id
                STRAIGHT_JOIN dialer_clients c ON c.id = k.case_id
                WHERE c.inserted_at <> l.case_inserted_at;
                DELETE FROM dialer_picked WHERE case_id IN (SELECT l.case_id FROM dialer_claims l);
            END IF;
            CALL dialer_claim_take(v_n - v_got, v_locked);
            INSERT INTO dialer_claims (
                case_id, project_id, asterisk, worker_id, epoch, kind, due_at, claimed_at, case_inserted_at)
            SELECT k.case_id, p_project, p_asterisk, p_worker, p_epoch, k.kind, k.due_at, v_now, c.inserted_at
            FROM dialer_picked k
            JOIN dialer_taken t ON t.case_id = k.case_id
            JOIN dialer_clients c ON c.id = k.case_id
            ORDER BY k.place;
            SET v_got = v_got + row_count(), v_locked = v_locked OR v_kept < v_held;
            -- 150: of those that a rule keeps back no more are handed out.
            IF v_got >= v_n OR v_kept >= 150 OR NOT v_locked OR v_picked + v_held < least(v_reach, 150)
                OR v_reach >= v_n + 2000 THEN
                LEAVE reach;
            END IF;
            SET v_reach = IF(v_reach = v_n, v_n + 200, v_n + 2000);
        END LOOP;
        -- Mostly it has got all and the state says so already.
        IF v_got < v_n OR NOT v_settled THEN
            -- Where it has looked at as many as it may, nobody knows yet what comes behind them.
            CALL dialer_project_settle(p_project, v_got < v_n AND v_kept < 150,
                IF(v_got = 0 AND v_locked, 'an open transaction holds the first of its cases that wait', NULL), v_now);
        END IF;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT l.place, l.case_id, l.kind, l.due_at, b.number IS NOT NULL AS guarded,
        coalesce(s.dial_count, 0) AS dials, s.state AS last_outcome
    FROM dialer_taken t
    STRAIGHT_JOIN dialer_claims l ON l.case_id = t.case_id
    LEFT JOIN dialer_clients c ON c.id = t.case_id
    LEFT JOIN dialer_abandoned b FORCE INDEX (PRIMARY) ON b.number = c.number AND b.until_at > v_now
    LEFT JOIN dialer_stat s ON s.id = t.case_id AND s.project_id = c.project_id
        AND s.phone_number = c.phone_number AND s.case_inserted_at = c.inserted_at
    ORDER BY l.place;
END
