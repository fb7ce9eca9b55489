-- Trigger, BEFORE INSERT OR UPDATE ON dialer_case_numbers: the checks, which are those of dialer_clients.phone_number;
-- the number in one form, by the country of the case's project; and which case it belongs to. What dialer_import_put
-- inserts has been checked, and has both. (MariaDB: the case is locked against changes until the writer commits, as if
-- its own row were edited.)
CREATE OR REPLACE TRIGGER dialer_case_numbers_before_write BEFORE INSERT OR UPDATE ON dialer_case_numbers
FOR EACH ROW
one: BEGIN
    DECLARE v_project varchar(400);
    DECLARE v_own varchar(400);
    DECLARE v_inserted timestamp(6);
    IF @dialer_importing_numbers THEN
        LEAVE one;
    END IF;
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_case_numbers');
    END IF;
    -- max(): no row is no warning, which the next trigger would take for a value that was bent.
    SELECT max(c.project_id), max(c.phone_number), max(c.inserted_at) INTO v_project, v_own, v_inserted
    FROM dialer_clients c WHERE c.id = NEW.case_id;
    IF v_project IS NULL THEN
        CALL dialer_refuse('dialer_case_numbers.case_id', NEW.case_id,
            'there is no such case; insert it into dialer_clients first');
    END IF;
    IF NOT coalesce(NEW.place BETWEEN 2 AND 20 OR NEW.place = 1 AND NEW.phone_number = v_own, false) THEN
        CALL dialer_refuse('dialer_case_numbers.place', NEW.place,
            'write 2 to 20, in the order of dialling (1 is dialer_clients.phone_number)');
    END IF;
    IF NOT coalesce(NEW.phone_number REGEXP '^[+*#]*[0-9][+*#0-9]*\\z' AND char_length(NEW.phone_number) <= 80, false) THEN
        CALL dialer_refuse('dialer_case_numbers.phone_number', NEW.phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.label) AND char_length(NEW.label) <= 100, false) THEN
        CALL dialer_refuse('dialer_case_numbers.label', NEW.label,
            'write up to 100 characters, without line breaks and other control characters');
    END IF;
    SET NEW.case_inserted_at = v_inserted,
        NEW.number = dialer_number(NEW.phone_number, dialer_country(v_project));
END
