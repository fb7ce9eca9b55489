-- dialer_claims_free(p_cases) -> how many
-- Give back cases that were claimed and not dialled. For other routines; locks the claims, then the cases. It does not
-- wait for a case that somebody's open transaction holds: the claim then belongs to nobody (epoch -1), so the case
-- cannot be dialled, and dialer_reap gives it back when the transaction is over. If another case has the id of a
-- claimed one by now (inserted_at differs), it is not touched.
CREATE OR REPLACE PROCEDURE dialer_claims_free(p_cases longtext, OUT p_freed bigint)
BEGIN
    -- p_cases: the ids, separated by commas; NULL: none.
    DECLARE v_id bigint;
    DECLARE v_locked tinyint(1);
    DECLARE v_inserted datetime(6);
    SET p_freed = 0;
    FOR claim IN (
        SELECT l.case_id FROM dialer_claims l
        WHERE find_in_set(l.case_id, p_cases) AND l.attempt_id IS NULL
        ORDER BY l.case_id
    ) DO
        SET v_id = NULL;
        SELECT l.case_id, l.case_inserted_at INTO v_id, v_inserted FROM dialer_claims l
        WHERE l.case_id = claim.case_id AND l.attempt_id IS NULL FOR UPDATE;
        IF v_id IS NOT NULL THEN
            SET v_id = NULL;
            CALL dialer_case_lock(claim.case_id, v_locked);
            IF NOT v_locked THEN
                BEGIN
                    DECLARE EXIT HANDLER FOR 1205 SET v_locked = true;
                    SELECT c.id INTO v_id
                    FROM dialer_clients c WHERE c.id = claim.case_id AND c.inserted_at = v_inserted FOR UPDATE;
                    IF v_id IS NOT NULL THEN
                        -- In place of an UPDATE, see dialer_case_settle.
                        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                        INSERT INTO dialer_clients (id, case_name, project_id, phone_number)
                        VALUES (v_id, '', '-', '0')
                        ON DUPLICATE KEY UPDATE checked = false;
                    END IF;
                END;
            END IF;
            IF v_locked THEN
                UPDATE dialer_claims SET epoch = -1 WHERE case_id = claim.case_id;
            ELSE
                DELETE FROM dialer_claims WHERE case_id = claim.case_id;
                SET p_freed = p_freed + 1;
            END IF;
        END IF;
    END FOR;
END
