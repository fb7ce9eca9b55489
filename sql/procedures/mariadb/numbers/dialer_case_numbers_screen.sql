-- dialer_case_numbers_screen(cases, p_now)
-- What dialer_screen does with those of its cases that have further numbers: the numbers are read by the project's
-- country as it is now, the number that is dialled next follows its row, and a case whose number dialer_dnc blocks for
-- ever moves on to a later one that it does not block. Only a case that was never called moves to an earlier one, too:
-- another would be called there once more than its redials allow. It waits, as do_not_call says. Nobody waits for rows
-- that others hold.
-- (MariaDB: the cases are in dialer_looked.)
CREATE OR REPLACE PROCEDURE dialer_case_numbers_screen(p_now datetime(6))
BEGIN
    DECLARE v_locked tinyint(1);
    DECLARE v_reason varchar(40);
    DECLARE v_until datetime(6);
    DECLARE v_from int;
    DECLARE v_place int;
    DECLARE v_number varchar(400);
    FOR k IN (
        SELECT f.case_id, f.place, f.case_inserted_at
        FROM dialer_looked l
        STRAIGHT_JOIN dialer_case_numbers f ON f.case_id = l.case_id
        STRAIGHT_JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
        WHERE f.number <> dialer_number(f.phone_number, dialer_country(c.project_id))
    ) DO
        one: BEGIN
            DECLARE EXIT HANDLER FOR 1205 BEGIN END;
            CALL dialer_case_lock(k.case_id, v_locked);
            IF NOT v_locked THEN
                -- The trigger writes the number that is right.
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_case_numbers SET number = ''
                WHERE case_id = k.case_id AND place = k.place AND case_inserted_at = k.case_inserted_at;
            END IF;
        END;
    END FOR;
    FOR k IN (
        SELECT c.id, c.last_attempt_id
        FROM dialer_looked l
        STRAIGHT_JOIN dialer_clients c ON c.id = l.case_id
        WHERE NOT c.used AND NOT c.checked
          AND (c.number_place > 1 OR EXISTS (
            SELECT 1 FROM dialer_case_numbers f WHERE f.case_id = c.id AND f.case_inserted_at = c.inserted_at))
    ) DO
        one: BEGIN
            DECLARE EXIT HANDLER FOR 1205 ROLLBACK TO SAVEPOINT dialer_number;
            SAVEPOINT dialer_number;
            CALL dialer_case_lock(k.id, v_locked);
            IF v_locked THEN
                LEAVE one;
            END IF;
            SELECT count(*) INTO v_locked FROM dialer_clients c WHERE c.id = k.id AND NOT c.used AND NOT c.checked FOR UPDATE;
            IF v_locked = 0 THEN
                LEAVE one;
            END IF;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR CALL dialer_number_follow(k.id, p_now);
            -- As in dialer_pick.
            SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
            SELECT g.own_reason, g.own_until_at INTO v_reason, v_until FROM dialer_gate g WHERE g.case_id = k.id;
            IF v_reason <=> 'do_not_call' AND v_until IS NULL THEN
                SELECT c.number_place INTO v_from FROM dialer_clients c WHERE c.id = k.id;
                SELECT dialer_free_place(k.id, v_from, p_now) INTO v_place;
                IF v_place IS NULL AND k.last_attempt_id IS NULL THEN
                    SELECT dialer_free_place(k.id, 0, p_now) INTO v_place;
                END IF;
                IF v_place <> v_from THEN
                    CALL dialer_place_write(k.id, v_place, v_number);
                    SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                    UPDATE dialer_clients SET number_place = v_place, number = v_number WHERE id = k.id;
                END IF;
            END IF;
        END;
    END FOR;
END
