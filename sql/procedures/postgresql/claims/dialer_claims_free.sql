-- dialer_claims_free(p_cases) -> how many
-- Give back cases that were claimed and not dialled. For other routines; locks the claims, then the cases. It does not
-- wait for a case that somebody's open transaction holds: the claim then belongs to nobody (epoch -1), so the case
-- cannot be dialled, and dialer_reap gives it back when the transaction is over. If another case has the id of a
-- claimed one by now (inserted_at differs), it is not touched.
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
