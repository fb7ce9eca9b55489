-- dialer_pick(p_project, p_now, p_n) -> place, case_id, kind, due_at
-- The next p_n cases in dial order, from 1, that have no own reason at p_now (dialer_gate). The gate is asked about the
-- cases that dialer_pick_scan has found; if it objects to some, more are looked at. Nothing is locked or claimed.
CREATE OR REPLACE PROCEDURE dialer_pick(p_project varchar(400), p_now datetime(6), p_n int)
BEGIN
    DECLARE v_reach int DEFAULT p_n;
    DECLARE v_scanned int;
    DECLARE v_found int;
    DECLARE v_set varchar(400) DEFAULT @dialer_now;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_now = v_set;
        RESIGNAL;
    END;
    -- The rows are left in this temporary table, since no procedure can read another one's result.
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_picked (
        place bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
        case_id bigint NOT NULL UNIQUE,
        kind varchar(20) NOT NULL,
        due_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    SET @dialer_now = NULL;
    reach: LOOP
        CALL dialer_pick_scan(p_project, p_now, v_reach);
        SELECT count(*) INTO v_scanned FROM dialer_scanned;
        DELETE FROM dialer_picked;
        -- The instant that the gate goes by, for this statement only, even if it fails; half a microsecond more, since
        -- the server cuts off fractions of one.
        SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
        INSERT INTO dialer_picked (case_id, kind, due_at)
        SELECT s.case_id, s.kind, s.due_at
        FROM dialer_scanned s
        STRAIGHT_JOIN dialer_gate g ON g.case_id = s.case_id
        WHERE g.own_reason IS NULL
        ORDER BY s.place
        LIMIT p_n;
        SET v_found = row_count();
        IF v_scanned < v_reach OR v_found >= p_n THEN
            LEAVE reach;
        END IF;
        SET v_reach = 2 * least(v_reach, 1000000000);
    END LOOP;
    SET @dialer_now = v_set;
END
