-- dialer_claims_free(p_cases) -> how many
-- Give back cases that were claimed and not dialled. For other routines; locks the claims, then the cases.
-- A case that somebody's open transaction holds is not waited for: its claim is made nobody's (epoch -1), so
-- that it cannot be dialled, and dialer_reap gives it back when the transaction is over. Another case that has the id of
-- a claimed one by now (inserted_at differs) is not touched.
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
    WITH loose AS MATERIALIZED (
        SELECT c.id FROM dialer_clients c WHERE c.id = ANY (p_cases) ORDER BY c.id FOR UPDATE SKIP LOCKED
    ), freed AS (
        DELETE FROM dialer_claims l
        WHERE l.case_id = ANY (p_cases)
          AND l.attempt_id IS NULL
          AND (l.case_id IN (SELECT o.id FROM loose o)
            OR NOT EXISTS (SELECT FROM dialer_clients c WHERE c.id = l.case_id))
        RETURNING l.case_id, l.case_inserted_at
    ), unchecked AS (
        UPDATE dialer_clients c SET checked = false FROM freed f
        WHERE c.id = f.case_id AND c.inserted_at = f.case_inserted_at
    )
    SELECT count(*) INTO v_freed FROM freed;
    UPDATE dialer_claims l
    SET epoch = -1
    WHERE l.case_id = ANY (p_cases) AND l.attempt_id IS NULL;
    RETURN v_freed;
END
$$
