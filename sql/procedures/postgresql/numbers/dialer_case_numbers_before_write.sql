-- Trigger, BEFORE INSERT OR UPDATE ON dialer_case_numbers: the checks, which are those of dialer_clients.phone_number;
-- the number in one form, by the country of the case's project; and which case it belongs to. What dialer_import_put
-- inserts has been checked, and has both. (MariaDB: the case is locked against changes until the writer commits, as if
-- its own row were edited.)
CREATE OR REPLACE FUNCTION dialer_case_numbers_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_case record;
BEGIN
    SELECT c.project_id, c.phone_number, c.inserted_at INTO v_case FROM dialer_clients c WHERE c.id = NEW.case_id;
    IF NOT FOUND THEN
        PERFORM dialer_refuse('dialer_case_numbers.case_id', NEW.case_id::varchar,
            'there is no such case; insert it into dialer_clients first');
    END IF;
    IF NOT coalesce(NEW.place BETWEEN 2 AND 20 OR NEW.place = 1 AND NEW.phone_number = v_case.phone_number, false) THEN
        PERFORM dialer_refuse('dialer_case_numbers.place', NEW.place::varchar,
            'write 2 to 20, in the order of dialling (1 is dialer_clients.phone_number)');
    END IF;
    IF NOT coalesce(NEW.phone_number ~ '^[+*#]*[0-9][+*#0-9]*$' AND length(NEW.phone_number) <= 80, false) THEN
        PERFORM dialer_refuse('dialer_case_numbers.phone_number', NEW.phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.label) AND length(NEW.label) <= 100, false) THEN
        PERFORM dialer_refuse('dialer_case_numbers.label', NEW.label,
            'write up to 100 characters, without line breaks and other control characters');
    END IF;
    NEW.case_inserted_at := v_case.inserted_at;
    NEW.number := dialer_number(NEW.phone_number, dialer_country(v_case.project_id));
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_case_numbers_before_write BEFORE INSERT OR UPDATE ON dialer_case_numbers
FOR EACH ROW
WHEN (coalesce(current_setting('dialer.importing_numbers', true), '') <> 'on')
EXECUTE FUNCTION dialer_case_numbers_before_write()
