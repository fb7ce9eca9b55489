-- Trigger, BEFORE INSERT OR UPDATE ON dialer_holidays: the checks.
CREATE OR REPLACE FUNCTION dialer_holidays_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT coalesce(NEW.region ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$', false) THEN
        PERFORM dialer_refuse('dialer_holidays.region', NEW.region,
            'write a country like DE, or a part of it like DE-BY (ISO 3166-2)');
    END IF;
    IF NOT coalesce(NEW.day BETWEEN '1970-01-01' AND '2100-01-01', false) THEN
        PERFORM dialer_refuse('dialer_holidays.day', NEW.day::varchar, 'write a day like 2027-11-01');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.name) AND length(NEW.name) <= 400, false) THEN
        PERFORM dialer_refuse('dialer_holidays.name', NEW.name,
            'write a name up to 400 characters without control characters, or leave the column out');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.source) AND length(NEW.source) BETWEEN 1 AND 40, false) THEN
        PERFORM dialer_refuse('dialer_holidays.source', NEW.source, 'write own, or leave the column out');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_holidays_before_write BEFORE INSERT OR UPDATE ON dialer_holidays
FOR EACH ROW EXECUTE FUNCTION dialer_holidays_before_write()
