-- dialer_number_follow(p_case, p_now)
-- A case's number is no longer what its place says: it is written anew. If the row of dialer_case_numbers is gone, the
-- case moves on to the next one that may be called, else to the first. The caller holds the case.
CREATE OR REPLACE PROCEDURE dialer_number_follow(p_case bigint, p_now datetime(6))
BEGIN
    DECLARE v_place int;
    DECLARE v_number varchar(400);
    SELECT c.number_place INTO v_place FROM dialer_clients c WHERE c.id = p_case;
    CALL dialer_place_write(p_case, v_place, v_number);
    IF v_number IS NULL THEN
        SELECT coalesce(dialer_free_place(p_case, v_place, p_now), dialer_free_place(p_case, 0, p_now), 1) INTO v_place;
        CALL dialer_place_write(p_case, v_place, v_number);
    END IF;
    UPDATE dialer_clients SET number_place = v_place, number = v_number
    WHERE id = p_case AND NOT (number_place = v_place AND number = v_number);
END
