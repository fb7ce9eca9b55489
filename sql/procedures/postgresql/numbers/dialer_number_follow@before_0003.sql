-- dialer_number_follow(p_case, p_now)
-- A case's number is no longer what its place says: it is written anew. If the row of dialer_case_numbers is gone, the
-- case moves on to the next one that may be called, else to the first. The caller holds the case.
CREATE OR REPLACE FUNCTION dialer_number_follow(p_case bigint, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_place int;
    v_number varchar;
BEGIN
    SELECT c.number_place INTO v_place FROM dialer_clients c WHERE c.id = p_case;
    v_number := dialer_place_write(p_case, v_place);
    IF v_number IS NULL THEN
        v_place := coalesce(dialer_free_place(p_case, v_place, p_now), dialer_free_place(p_case, 0, p_now), 1);
        v_number := dialer_place_write(p_case, v_place);
    END IF;
    UPDATE dialer_clients c SET number_place = v_place, number = v_number
    WHERE c.id = p_case AND (c.number_place, c.number) <> (v_place, v_number);
END
$$
