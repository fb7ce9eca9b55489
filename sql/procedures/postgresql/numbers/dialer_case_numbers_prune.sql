-- dialer_case_numbers_prune(p_after, p_n) -> the last case that was looked at, 0: there are no more
-- Delete the further numbers of cases that are gone, or that are other cases by now: of the next p_n by case_id from
-- after p_after. For dialer_screen; a trigger of dialer_clients must not touch rows that people edit. Nobody waits.
CREATE OR REPLACE FUNCTION dialer_case_numbers_prune(p_after bigint, p_n int)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_cases bigint[] := ARRAY(
        SELECT f.case_id FROM dialer_case_numbers f WHERE f.case_id > p_after GROUP BY f.case_id ORDER BY f.case_id LIMIT p_n);
BEGIN
    DELETE FROM dialer_case_numbers
    WHERE (case_id, place, case_inserted_at) IN (
        SELECT f.case_id, f.place, f.case_inserted_at
        FROM dialer_case_numbers f
        WHERE f.case_id = ANY (v_cases)
          AND NOT EXISTS (SELECT FROM dialer_clients c WHERE c.id = f.case_id AND c.inserted_at = f.case_inserted_at)
        FOR UPDATE SKIP LOCKED);
    RETURN coalesce(v_cases[cardinality(v_cases)], 0);
END
$$
