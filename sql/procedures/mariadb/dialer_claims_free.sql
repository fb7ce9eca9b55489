-- dialer_claims_free(p_cases) -> how many
-- Give back cases that were claimed and not dialled. For other routines; locks the claims, then the cases.
-- A case that somebody's open transaction holds is not waited for: its claim is made nobody's (epoch -1), so
-- that it cannot be dialled, and dialer_reap gives it back when the transaction is over.
CREATE OR REPLACE PROCEDURE dialer_claims_free(p_cases longtext, OUT p_freed bigint)
BEGIN
    -- p_cases: the ids, separated by commas; NULL: none.
    DECLARE v_id bigint;
    DECLARE v_locked tinyint(1);
    SET p_freed = 0;
    FOR claim IN (
        SELECT l.case_id FROM dialer_claims l
        WHERE find_in_set(l.case_id, p_cases) AND l.attempt_id IS NULL
        ORDER BY l.case_id
    ) DO
        SET v_id = NULL;
        SELECT l.case_id INTO v_id FROM dialer_claims l
        WHERE l.case_id = claim.case_id AND l.attempt_id IS NULL FOR UPDATE;
        IF v_id IS NOT NULL THEN
            CALL dialer_case_lock(claim.case_id, v_locked);
            IF v_locked THEN
                UPDATE dialer_claims SET epoch = -1 WHERE case_id = claim.case_id;
            ELSE
                DELETE FROM dialer_claims WHERE case_id = claim.case_id;
                UPDATE dialer_clients SET checked = false WHERE id = claim.case_id;
                SET p_freed = p_freed + 1;
            END IF;
        END IF;
    END FOR;
END
