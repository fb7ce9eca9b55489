-- dialer_caller_id_lock(p_numbers)
-- Lock these caller IDs (a JSON array of numbers, none NULL) for the transaction, in their order, so that two projects
-- that share one do not both make its last call. dialer_caller_ids itself, which people edit, is only read.
CREATE OR REPLACE PROCEDURE dialer_caller_id_lock(p_numbers longtext)
BEGIN
    DECLARE v_number varchar(400);
    FOR caller IN (
        SELECT DISTINCT json_value(p_numbers, concat('$[', s.seq, ']')) AS number
        FROM seq_0_to_9999 s
        WHERE s.seq < json_length(p_numbers)
        ORDER BY number
    ) DO
        SET v_number = NULL;
        SELECT s.number INTO v_number FROM dialer_caller_id_states s WHERE s.number = caller.number FOR UPDATE;
        IF v_number IS NULL THEN
            INSERT IGNORE INTO dialer_caller_id_states (number) VALUES (caller.number);
            SELECT s.number INTO v_number FROM dialer_caller_id_states s WHERE s.number = caller.number FOR UPDATE;
        END IF;
    END FOR;
END
