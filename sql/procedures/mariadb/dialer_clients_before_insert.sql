-- Trigger, BEFORE INSERT ON dialer_clients: old names first, then what a promise means, then the checks.
CREATE OR REPLACE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
FOR EACH ROW
BEGIN
    IF NEW.recall IS NOT NULL OR NEW.recall_period IS NOT NULL THEN
        SET NEW.call_back = coalesce(NEW.recall, NEW.call_back),
            NEW.call_back_period = coalesce(NEW.recall_period, NEW.call_back_period),
            NEW.recall = NULL,
            NEW.recall_period = NULL;
    END IF;
    IF NEW.deferred_time IS NOT NULL THEN
        SET NEW.deferred_kind = 'scheduled', NEW.deferred_done = false, NEW.used = false;
    ELSE
        SET NEW.deferred_kind = NULL;
    END IF;
    -- Only the dialer takes a case in hand or counts what it did with it.
    SET NEW.checked = false,
        NEW.redials_done = 0,
        NEW.failures = 0,
        NEW.brought_back = 0,
        NEW.not_before_at = NULL,
        NEW.last_attempt_id = NULL;
    -- What a session without strict mode makes of dates that cannot be; the strict one refuses them by itself.
    IF NEW.deferred_time < '1971-01-01' THEN
        CALL dialer_refuse('dialer_clients.deferred_time', NEW.deferred_time,
            'write an instant from 1971 to 2038, or NULL');
    END IF;
    IF NEW.phone_number NOT REGEXP '^[+*#0-9]+\\z' OR char_length(NEW.phone_number) > 80
       OR NEW.allowed_start NOT REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z'
       OR NEW.allowed_stop NOT REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z'
       OR NEW.call_back_period NOT REGEXP '^[0-9]{1,6}(,[0-9]{1,6}){0,50}\\z'
       OR concat(NEW.case_name, NEW.project_id) REGEXP '[\\x01-\\x1f\\x7f]'
       OR char_length(NEW.project_id) NOT BETWEEN 1 AND 100
       OR (NEW.utc IS NOT NULL AND NEW.utc NOT REGEXP '^[+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?\\z') THEN
        CALL dialer_clients_check(NEW.case_name, NEW.project_id, NEW.phone_number, NEW.utc,
            NEW.allowed_start, NEW.allowed_stop, NEW.call_back_period);
    END IF;
END
