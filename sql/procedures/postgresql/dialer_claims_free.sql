-- dialer_claims_free(p_cases) -> how many
-- Give back cases that were claimed and not dialled. For other routines; locks the claims, then the cases.
CREATE OR REPLACE FUNCTION dialer_claims_free(p_cases bigint[])
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_freed bigint;
BEGIN
    PERFORM FROM dialer_claims l
    WHERE l.case_id = ANY (p_cases) AND l.attempt_id IS NULL
    ORDER BY l.case_id FOR UPDATE;
    WITH freed AS (
        DELETE FROM dialer_claims l
        WHERE l.case_id = ANY (p_cases) AND l.attempt_id IS NULL
        RETURNING l.case_id
    )
    UPDATE dialer_clients c SET checked = false FROM freed f WHERE c.id = f.case_id;
    GET DIAGNOSTICS v_freed = ROW_COUNT;
    RETURN v_freed;
END
$$
