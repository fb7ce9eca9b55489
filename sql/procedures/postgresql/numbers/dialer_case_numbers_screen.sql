-- dialer_case_numbers_screen(cases, p_now)
-- What dialer_screen does with those of its cases that have further numbers: the numbers are read by the project's
-- country as it is now, the number that is dialled next follows its row, and a case whose number dialer_dnc blocks for
-- ever moves on to a later one that it does not block. Only a case that was never called moves to an earlier one, too:
-- another would be called there once more than its redials allow. It waits, as do_not_call says. Nobody waits for rows
-- that others hold.
-- (MariaDB: the cases are in dialer_looked.)
CREATE OR REPLACE FUNCTION dialer_case_numbers_screen(p_cases bigint[], p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_case record;
    v_gate record;
    v_place int;
    v_number varchar;
BEGIN
    -- The trigger writes the number that is right.
    UPDATE dialer_case_numbers SET number = ''
    WHERE (case_id, place, case_inserted_at) IN (
        SELECT f.case_id, f.place, f.case_inserted_at
        FROM dialer_case_numbers f
        JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
        WHERE f.case_id = ANY (p_cases)
          AND f.number <> dialer_number(f.phone_number, dialer_country(c.project_id))
        FOR UPDATE OF f SKIP LOCKED);
    FOR v_case IN
        SELECT c.id, c.number_place, c.number, c.last_attempt_id
        FROM dialer_clients c
        WHERE c.id = ANY (p_cases) AND NOT c.used AND NOT c.checked
          AND (c.number_place > 1 OR EXISTS (
            SELECT FROM dialer_case_numbers f WHERE f.case_id = c.id AND f.case_inserted_at = c.inserted_at))
        ORDER BY c.id
        FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM dialer_number_follow(v_case.id, p_now);
        SELECT g.own_reason, g.own_until_at INTO v_gate FROM dialer_gate g WHERE g.case_id = v_case.id;
        CONTINUE WHEN v_gate.own_reason IS DISTINCT FROM 'do_not_call' OR v_gate.own_until_at IS NOT NULL;
        SELECT c.number_place INTO v_case.number_place FROM dialer_clients c WHERE c.id = v_case.id;
        v_place := dialer_free_place(v_case.id, v_case.number_place, p_now);
        IF v_place IS NULL AND v_case.last_attempt_id IS NULL THEN
            v_place := dialer_free_place(v_case.id, 0, p_now);
        END IF;
        IF v_place <> v_case.number_place THEN
            v_number := dialer_place_write(v_case.id, v_place);
            UPDATE dialer_clients c SET number_place = v_place, number = v_number WHERE c.id = v_case.id;
        END IF;
    END LOOP;
END
$$
