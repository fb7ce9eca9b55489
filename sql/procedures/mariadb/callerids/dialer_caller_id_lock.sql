-- dialer_caller_id_lock()
-- Lock what may be used up of these caller IDs for the transaction, in the order of their numbers, so that two projects
-- that share one do not both make its last call. dialer_caller_ids itself, which people edit, is only read.
CREATE OR REPLACE PROCEDURE dialer_caller_id_lock()
BEGIN
    DECLARE v_number varchar(400);
    -- The numbers: those of dialer_begin_callers, a temporary table of dialer_attempt_begin.
    FOR caller IN (
        SELECT DISTINCT i.number FROM dialer_begin_callers i WHERE i.most_per_day IS NOT NULL ORDER BY i.number
    ) DO
        SET v_number = NULL;
        SELECT s.number INTO v_number FROM dialer_caller_id_states s WHERE s.number = caller.number FOR UPDATE;
        IF v_number IS NULL THEN
            INSERT IGNORE INTO dialer_caller_id_states (number) VALUES (caller.number);
            SELECT s.number INTO v_number FROM dialer_caller_id_states s WHERE s.number = caller.number FOR UPDATE;
        END IF;
    END FOR;
END
