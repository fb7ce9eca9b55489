-- dialer_place_write(p_case, p_place) -> number
-- The number of a case at a place, for who writes both into its number_place and number; NULL: there is none. While
-- another number than the first one is dialled, dialer_clients.number does not show that one, so it is kept at place 1
-- of dialer_case_numbers: who looks for the cases of a number finds it there.
CREATE OR REPLACE PROCEDURE dialer_place_write(p_case bigint, p_place int, OUT p_number varchar(400))
BEGIN
    SET p_number = NULL;
    IF p_place = 1 THEN
        SELECT dialer_number(c.phone_number, dialer_country(c.project_id)) INTO p_number
        FROM dialer_clients c WHERE c.id = p_case;
    ELSE
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        INSERT INTO dialer_case_numbers (case_id, place, phone_number)
        SELECT c.id, 1, c.phone_number FROM dialer_clients c WHERE c.id = p_case
        ON DUPLICATE KEY UPDATE phone_number = VALUES(phone_number);
        SELECT f.number INTO p_number
        FROM dialer_case_numbers f
        JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
        WHERE f.case_id = p_case AND f.place = p_place;
    END IF;
END
