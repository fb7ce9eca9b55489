-- dialer_away_end(p_case) -> attempt_id
-- The call that used up a case while it was not in dialer_clients (moved to an archive and back); NULL: none. Redials
-- that it has left, further numbers, and a promise, are still to be kept.
CREATE OR REPLACE PROCEDURE dialer_away_end(p_case bigint, OUT p_attempt bigint)
BEGIN
    -- A procedure, as dialer_retry is.
    DECLARE v_redial_at datetime(6);
    DECLARE v_move int;
    DECLARE v_now datetime(6);
    SET p_attempt = NULL;
    FOR away IN (
        SELECT w.attempt_id
        FROM dialer_away w
        JOIN dialer_clients c ON c.id = w.case_id
        WHERE w.case_id = p_case
          AND c.project_id = w.project_id AND c.phone_number = w.phone_number AND c.inserted_at = w.case_inserted_at
          AND (c.deferred_time IS NULL OR c.deferred_done)
        ORDER BY w.attempt_id
    ) DO
        CALL dialer_retry(away.attempt_id, NULL, v_redial_at);
        SELECT dialer_now() INTO v_now;
        CALL dialer_case_move(away.attempt_id, v_now, v_move);
        IF v_redial_at IS NULL AND v_move IS NULL THEN
            SET p_attempt = away.attempt_id;
        END IF;
    END FOR;
END
