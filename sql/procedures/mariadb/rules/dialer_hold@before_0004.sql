-- dialer_hold(p_held)
-- Write held_for and held_until of dialer_holding into the cases there that nobody else holds, unless they are used or in
-- hand; nobody waits. p_held: how many. For dialer_claim and dialer_screen. (PostgreSQL has SKIP LOCKED.) As in
-- dialer_claim_take 1205 ends the caller's transaction at once where somebody holds the gap that a case moves to.
CREATE OR REPLACE PROCEDURE dialer_hold(OUT p_held int)
BEGIN
    DECLARE v_locked tinyint(1) DEFAULT false;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_lockable (case_id bigint NOT NULL PRIMARY KEY) ENGINE = MEMORY;
    DELETE FROM dialer_lockable;
    at_once: BEGIN
        DECLARE EXIT HANDLER FOR 1205 SET v_locked = true;
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        INSERT INTO dialer_lockable (case_id)
        SELECT c.id FROM dialer_holding h STRAIGHT_JOIN dialer_clients c ON c.id = h.case_id
        WHERE NOT c.used AND NOT c.checked FOR UPDATE;
    END;
    IF v_locked THEN
        DELETE FROM dialer_lockable;
        FOR h IN (SELECT d.case_id FROM dialer_holding d) DO
            CALL dialer_case_lock(h.case_id, v_locked);
            IF NOT v_locked THEN
                INSERT INTO dialer_lockable (case_id)
                SELECT c.id FROM dialer_clients c WHERE c.id = h.case_id AND NOT c.used AND NOT c.checked FOR UPDATE;
            END IF;
        END FOR;
    END IF;
    SET STATEMENT innodb_lock_wait_timeout = 0 FOR
    UPDATE dialer_lockable t
    STRAIGHT_JOIN dialer_holding h ON h.case_id = t.case_id
    STRAIGHT_JOIN dialer_clients c ON c.id = t.case_id
    SET c.held_for = h.held_for, c.held_until = h.held_until;
    SET p_held = row_count();
END
