-- Trigger, BEFORE UPDATE ON dialer_clients (not of checked alone): what somebody's UPDATE means.
-- The dialer's own writes are known by last_attempt_id changing with them and pass as they are.
--   deferred_time written: a scheduled callback, promised anew · written NULL: the promise is withdrawn
--   used set: the case is withdrawn, and what is pending goes with it
--   used cleared: the case is brought back, its redial list starts anew
CREATE OR REPLACE TRIGGER dialer_clients_before_update BEFORE UPDATE ON dialer_clients
FOR EACH ROW
BEGIN
    IF NEW.last_attempt_id <=> OLD.last_attempt_id AND NOT (
        NEW.case_name <=> OLD.case_name AND NEW.project_id <=> OLD.project_id AND NEW.phone_number <=> OLD.phone_number
        AND NEW.utc <=> OLD.utc AND NEW.used <=> OLD.used AND NEW.call_back <=> OLD.call_back
        AND NEW.allowed_start <=> OLD.allowed_start AND NEW.allowed_stop <=> OLD.allowed_stop
        AND NEW.call_back_period <=> OLD.call_back_period AND NEW.deferred_time <=> OLD.deferred_time
        AND NEW.recall IS NULL AND NEW.recall_period IS NULL) THEN
        SET NEW.call_back = coalesce(NEW.recall, NEW.call_back),
            NEW.call_back_period = coalesce(NEW.recall_period, NEW.call_back_period),
            NEW.recall = NULL,
            NEW.recall_period = NULL;
        IF NOT NEW.deferred_time <=> OLD.deferred_time THEN
            SET NEW.deferred_done = false;
            IF NEW.deferred_time IS NULL THEN
                SET NEW.deferred_kind = NULL;
            ELSE
                SET NEW.deferred_kind = 'scheduled',
                    NEW.used = false,
                    NEW.not_before_at = NULL,
                    NEW.redials_done = 0;
            END IF;
        ELSEIF NEW.used AND NOT OLD.used THEN
            SET NEW.deferred_time = NULL,
                NEW.deferred_kind = NULL,
                NEW.deferred_done = false,
                NEW.not_before_at = NULL;
        END IF;
        IF OLD.used AND NOT NEW.used THEN
            SET NEW.redials_done = 0,
                NEW.failures = 0,
                NEW.not_before_at = NULL,
                NEW.brought_back = OLD.brought_back + 1;
        END IF;
        -- What a session without strict mode makes of dates that cannot be; the strict one refuses them by itself.
        IF NEW.deferred_time < '1971-01-01' THEN
            CALL dialer_refuse('dialer_clients.deferred_time', NEW.deferred_time,
                'write an instant from 1971 to 2038, or NULL');
        END IF;
        CALL dialer_clients_check(NEW.case_name, NEW.project_id, NEW.phone_number, NEW.utc,
            NEW.allowed_start, NEW.allowed_stop, NEW.call_back_period);
    END IF;
END
