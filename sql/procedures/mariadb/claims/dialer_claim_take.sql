-- dialer_claim_take(p_n, p_locked)
-- Lock the first p_n cases in dialer_picked that nobody else holds, mark them as checked, and add them to dialer_taken.
-- p_locked: some were skipped, because somebody else's transaction holds them; nobody waits. For dialer_claim.
-- (PostgreSQL has SKIP LOCKED.) A REPEATABLE READ transaction may hold the gap in an index that a case moves to: then
-- 1205 ends the claim at once, since an error of an UPDATE that has begun to write reaches no handler.
CREATE OR REPLACE PROCEDURE dialer_claim_take(p_n int, OUT p_locked tinyint(1))
BEGIN
    DECLARE v_picked int;
    DECLARE v_got int DEFAULT 0;
    SET p_locked = false;
    SELECT count(*) INTO v_picked FROM dialer_picked;
    work: BEGIN
        -- All at once, if nothing is in the way.
        IF v_picked <= p_n THEN
            at_once: BEGIN
                DECLARE EXIT HANDLER FOR 1205 SET p_locked = true;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                INSERT INTO dialer_taken (case_id)
                SELECT c.id FROM dialer_picked k STRAIGHT_JOIN dialer_clients c ON c.id = k.case_id
                WHERE NOT c.used AND NOT c.checked FOR UPDATE;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_taken t
                STRAIGHT_JOIN dialer_clients c ON c.id = t.case_id
                SET c.checked = true
                WHERE NOT c.checked;
            END;
            IF NOT p_locked THEN
                LEAVE work;
            END IF;
            DELETE FROM dialer_taken WHERE case_id IN (SELECT k.case_id FROM dialer_picked k);
        END IF;
        one_by_one: FOR k IN (SELECT d.case_id FROM dialer_picked d ORDER BY d.place) DO
            BEGIN
                DECLARE EXIT HANDLER FOR 1205 SET p_locked = true;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_clients c SET c.checked = true
                WHERE c.id = k.case_id AND NOT c.used AND NOT c.checked;
                IF row_count() = 1 THEN
                    INSERT INTO dialer_taken (case_id) VALUES (k.case_id);
                    SET v_got = v_got + 1;
                END IF;
            END;
            IF v_got >= p_n THEN
                LEAVE one_by_one;
            END IF;
        END FOR;
    END work;
END
