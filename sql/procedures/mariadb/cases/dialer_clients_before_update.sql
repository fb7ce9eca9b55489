-- Trigger, BEFORE UPDATE ON dialer_clients (not of checked alone): what somebody's UPDATE means.
-- The dialer's own writes change last_attempt_id, too, and pass unchecked; they change no column that is checked here,
-- so a call can end whatever its row holds.
--   deferred_time written: a scheduled callback, promised anew · written NULL: the promise is withdrawn
--   used set: the case is withdrawn, and pending redials and callbacks go with it
--   used cleared: the case is brought back, its redial list starts anew, with the first of its numbers
--   inserted_at, deferred_kind: stay as they are
--   number: at number_place 1 always that of phone_number, by the project's country; at another one as written, and
--   dialer_attempt_begin compares it with dialer_case_numbers, which no trigger of this table may read; number_region,
--   zones: where it is
--   what rules go by (number, project, zone, hours, region, promise) written: they are asked afresh (held_for)
-- Only changed columns are checked, so a row that was bad before can still be withdrawn.
CREATE OR REPLACE TRIGGER dialer_clients_before_update BEFORE UPDATE ON dialer_clients
FOR EACH ROW
one: BEGIN
    DECLARE v_checked_anew tinyint(1);
    DECLARE v_rewritten tinyint(1);
    -- A claim and its end, and a hold: nothing of what follows concerns them, and a tenth of the claim would go into it.
    IF NOT (NEW.checked <=> OLD.checked AND NEW.held_for <=> OLD.held_for AND NEW.held_until <=> OLD.held_until)
       AND NEW.used = OLD.used AND NEW.number = OLD.number AND NEW.number_place = OLD.number_place
       AND NEW.phone_number = OLD.phone_number AND NEW.project_id = OLD.project_id AND NEW.case_name = OLD.case_name
       AND NEW.id = OLD.id AND NEW.created = OLD.created AND NEW.inserted_at = OLD.inserted_at
       AND NEW.allowed_start = OLD.allowed_start AND NEW.allowed_stop = OLD.allowed_stop AND NEW.priority = OLD.priority
       AND NEW.call_back = OLD.call_back AND NEW.deferred_done = OLD.deferred_done AND NEW.utc <=> OLD.utc
       AND NEW.call_back_period <=> OLD.call_back_period AND NEW.region <=> OLD.region AND NEW.fields <=> OLD.fields
       AND NEW.zones <=> OLD.zones AND NEW.number_region <=> OLD.number_region
       AND NEW.deferred_time <=> OLD.deferred_time AND NEW.deferred_kind <=> OLD.deferred_kind
       AND NEW.recall IS NULL AND NEW.recall_period IS NULL AND @@warning_count = 0 THEN
        LEAVE one;
    END IF;
    -- Also if a value was bent to the one that is there already.
    IF @@warning_count > 0 THEN
        CALL dialer_bent('dialer_clients');
    END IF;
    IF NEW.recall IS NOT NULL OR NEW.recall_period IS NOT NULL THEN
        SET NEW.call_back = coalesce(NEW.recall, NEW.call_back),
            NEW.call_back_period = coalesce(NEW.recall_period, NEW.call_back_period),
            NEW.recall = NULL,
            NEW.recall_period = NULL;
    END IF;
    IF OLD.used AND NOT NEW.used AND NEW.last_attempt_id <=> OLD.last_attempt_id
       AND (NEW.deferred_time IS NULL OR NEW.deferred_time <=> OLD.deferred_time) THEN
        SET NEW.number_place = 1;
    END IF;
    IF NEW.number_place = 1 AND NOT (NEW.phone_number <=> OLD.phone_number AND NEW.project_id <=> OLD.project_id
        AND NEW.number <=> OLD.number AND OLD.number_place = 1) THEN
        SET NEW.number = dialer_number(NEW.phone_number, dialer_country(NEW.project_id));
    END IF;
    IF NOT (NEW.number <=> OLD.number AND NEW.number_region <=> OLD.number_region AND NEW.zones <=> OLD.zones) THEN
        SET @dialer_place = dialer_place(NEW.number),
            NEW.number_region = nullif(substring_index(@dialer_place, '|', 1), ''),
            NEW.zones = nullif(substring_index(@dialer_place, '|', -1), '');
    END IF;
    IF OLD.held_for IS NOT NULL AND NOT (
        NEW.number <=> OLD.number AND NEW.project_id <=> OLD.project_id AND NEW.utc <=> OLD.utc
        AND NEW.allowed_start <=> OLD.allowed_start AND NEW.allowed_stop <=> OLD.allowed_stop
        AND NEW.region <=> OLD.region AND NEW.number_region <=> OLD.number_region AND NEW.zones <=> OLD.zones
        AND NEW.deferred_time <=> OLD.deferred_time AND NEW.used <=> OLD.used) THEN
        SET NEW.held_for = NULL, NEW.held_until = NULL;
    END IF;
    SET NEW.inserted_at = OLD.inserted_at,
        v_checked_anew = NOT (
            NEW.id <=> OLD.id AND NEW.case_name <=> OLD.case_name AND NEW.project_id <=> OLD.project_id
            AND NEW.phone_number <=> OLD.phone_number AND NEW.utc <=> OLD.utc AND NEW.allowed_start <=> OLD.allowed_start
            AND NEW.allowed_stop <=> OLD.allowed_stop AND NEW.call_back_period <=> OLD.call_back_period
            AND NEW.created <=> OLD.created AND NEW.region <=> OLD.region AND NEW.fields <=> OLD.fields),
        v_rewritten = v_checked_anew
            OR NOT (NEW.priority <=> OLD.priority AND NEW.call_back <=> OLD.call_back);
    IF v_rewritten OR (NEW.last_attempt_id <=> OLD.last_attempt_id AND NOT (
        NEW.used <=> OLD.used AND NEW.deferred_time <=> OLD.deferred_time AND NEW.deferred_kind <=> OLD.deferred_kind
        AND coalesce(NEW.deferred_done IN (0, 1), false))) THEN
        IF @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
            CALL dialer_bent('dialer_clients');
        END IF;
        IF NOT NEW.deferred_time <=> OLD.deferred_time THEN
            SET NEW.deferred_done = false;
            IF NEW.deferred_time IS NULL THEN
                SET NEW.deferred_kind = NULL;
            ELSE
                SET NEW.deferred_kind = 'scheduled',
                    NEW.used = false,
                    NEW.not_before_at = NULL,
                    NEW.redials_done = 0;
                IF dialer_offset_written(NEW.deferred_time, false) THEN
                    CALL dialer_refuse('dialer_clients.deferred_time', NEW.deferred_time,
                        'write it in the zone of the session, without an offset');
                END IF;
            END IF;
        ELSEIF NEW.used AND NOT OLD.used THEN
            SET NEW.deferred_time = NULL,
                NEW.deferred_kind = NULL,
                NEW.deferred_done = false,
                NEW.not_before_at = NULL;
        ELSE
            SET NEW.deferred_kind = OLD.deferred_kind;
        END IF;
        IF OLD.used AND NOT NEW.used THEN
            SET NEW.redials_done = 0,
                NEW.failures = 0,
                NEW.not_before_at = NULL,
                NEW.brought_back = OLD.brought_back + 1;
        END IF;
        IF NOT NEW.created <=> OLD.created AND dialer_offset_written(NEW.created, false) THEN
            CALL dialer_refuse('dialer_clients.created', NEW.created,
                'write it in the zone of the session, without an offset');
        END IF;
        IF v_checked_anew OR NEW.priority IS NULL OR NOT coalesce(NEW.call_back IN (0, 1), false)
           OR NOT coalesce(NEW.used IN (0, 1), false) OR (OLD.used AND NOT NEW.used)
           OR NOT coalesce(NEW.deferred_done IN (0, 1), false)
           OR (NOT NEW.deferred_time <=> OLD.deferred_time AND NEW.deferred_time IS NOT NULL) THEN
            -- An id that the server has assigned stays, whatever it is.
            CALL dialer_clients_check(IF(NEW.id <=> OLD.id, 1, NEW.id), NEW.case_name, NEW.project_id, NEW.phone_number,
                NEW.priority, NEW.utc, NEW.used, NEW.call_back, NEW.allowed_start, NEW.allowed_stop,
                NEW.call_back_period, NEW.deferred_time, NEW.deferred_done, NEW.created, NEW.inserted_at,
                NEW.region, NEW.fields);
        END IF;
    END IF;
END
