-- dialer_pick(p_project, p_now, p_n, p_claims) -> place, case_id, kind, due_at, held_for, held_until
-- The next p_n cases in dial order, from 1, that have no own reason at p_now (dialer_gate). The gate is asked about the
-- cases that dialer_pick_scan has found; if it objects to some, more are looked at. Nothing is locked or claimed.
-- p_claims false: exactly those, held ones whose time has come among them. True, for dialer_claim: of cases that wait
-- only, and when 150 of them are kept back by rules, no more are looked at; these are handed out, too,
-- with the rule and its end, so that the claim can hold them: without a place, or in dialer_holding (MariaDB).
CREATE OR REPLACE PROCEDURE dialer_pick(p_project varchar(400), p_now datetime(6), p_n int, p_claims tinyint(1))
BEGIN
    DECLARE v_reach int DEFAULT p_n;
    DECLARE v_scanned int;
    DECLARE v_found int;
    DECLARE v_blocked int DEFAULT 0;
    DECLARE v_asked tinyint(1) DEFAULT false;
    DECLARE v_set varchar(400) DEFAULT @dialer_now;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_now = v_set;
        RESIGNAL;
    END;
    IF NOT @dialer_temporaries <=> schema() THEN
        CALL dialer_temporaries();
    END IF;
    DELETE FROM dialer_holding;
    SET @dialer_now = NULL;
    reach: LOOP
        CALL dialer_pick_scan(p_project, p_now, v_reach, NOT p_claims);
        DELETE FROM dialer_picked;
        IF NOT v_asked THEN
            -- The instant that the gate goes by, for this statement only, even if it fails; half a microsecond more, since
            -- the server cuts off fractions of one. A cache of answers would be made for each subquery; no two cases ask
            -- alike.
            SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005, optimizer_switch = 'subquery_cache=off' FOR
            INSERT INTO dialer_picked (case_id, kind, due_at)
            SELECT s.case_id, s.kind, s.due_at
            FROM dialer_scanned s
            STRAIGHT_JOIN dialer_gate_reasons g ON g.case_id = s.case_id
            WHERE g.own_reason IS NULL
            ORDER BY s.place
            LIMIT p_n;
            SET v_found = row_count();
            IF v_found >= p_n THEN
                LEAVE reach;
            END IF;
        END IF;
        SELECT count(*) INTO v_scanned FROM dialer_scanned;
        IF NOT v_asked THEN
            IF v_found >= v_scanned THEN
                LEAVE reach;
            END IF;
            -- The gate objects to some: from now on each case is asked about once, however far the loop has to reach.
            DELETE FROM dialer_picked;
            DELETE FROM dialer_asked;
            SET v_asked = true;
        END IF;
        SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005, optimizer_switch = 'subquery_cache=off' FOR
        INSERT INTO dialer_asked (case_id, own_reason)
        SELECT s.case_id, g.own_reason
        FROM dialer_scanned s
        LEFT JOIN dialer_asked a ON a.case_id = s.case_id
        STRAIGHT_JOIN dialer_gate_reasons g ON g.case_id = s.case_id
        WHERE a.case_id IS NULL;
        INSERT INTO dialer_picked (case_id, kind, due_at)
        SELECT s.case_id, s.kind, s.due_at
        FROM dialer_scanned s
        STRAIGHT_JOIN dialer_asked a ON a.case_id = s.case_id
        WHERE a.own_reason IS NULL
        ORDER BY s.place
        LIMIT p_n;
        SET v_found = row_count();
        SELECT count(*) INTO v_blocked FROM dialer_asked a
        WHERE p_claims AND a.own_reason IN ('do_not_call', 'number_limit', 'number_pause');
        IF v_scanned < v_reach OR v_found >= p_n OR v_blocked >= 150 THEN
            LEAVE reach;
        END IF;
        -- Where rules keep some back there are probably many of them.
        SET v_reach = 2 * least(v_reach + IF(v_blocked > 0, 65, 0), 1000000000);
    END LOOP;
    IF v_blocked > 0 THEN
        CALL dialer_hold_note(p_now, 150);
    END IF;
    SET @dialer_now = v_set;
END
