-- dialer_place_write(p_case, p_place) -> number
-- The number of a case at a place, for who writes both into its number_place and number; NULL: there is none. While
-- another number than the first one is dialled, dialer_clients.number does not show that one, so it is kept at place 1
-- of dialer_case_numbers: who looks for the cases of a number finds it there.
CREATE OR REPLACE FUNCTION dialer_place_write(p_case bigint, p_place int)
RETURNS varchar
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_place = 1 THEN
        RETURN (
            SELECT dialer_number(c.phone_number, dialer_country(c.project_id)) FROM dialer_clients c WHERE c.id = p_case);
    END IF;
    INSERT INTO dialer_case_numbers AS f (case_id, place, phone_number, case_inserted_at)
    SELECT c.id, 1, c.phone_number, c.inserted_at FROM dialer_clients c WHERE c.id = p_case
    ON CONFLICT (case_id, place, case_inserted_at) DO UPDATE SET phone_number = excluded.phone_number
    WHERE f.phone_number <> excluded.phone_number;
    RETURN (
        SELECT f.number FROM dialer_case_numbers f
        JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
        WHERE f.case_id = p_case AND f.place = p_place);
END
$$
