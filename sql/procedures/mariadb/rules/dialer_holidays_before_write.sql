-- Trigger, BEFORE INSERT OR UPDATE ON dialer_holidays: the checks.
CREATE OR REPLACE TRIGGER dialer_holidays_before_write BEFORE INSERT OR UPDATE ON dialer_holidays
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_holidays');
    END IF;
    IF NOT coalesce(NEW.region REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z', false) THEN
        CALL dialer_refuse('dialer_holidays.region', NEW.region,
            'write a country like DE, or a part of it like DE-BY (ISO 3166-2)');
    END IF;
    IF NOT coalesce(NEW.day BETWEEN '1970-01-01' AND '2100-01-01', false) THEN
        CALL dialer_refuse('dialer_holidays.day', NEW.day, 'write a day like 2027-11-01');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.name) AND char_length(NEW.name) <= 400, false) THEN
        CALL dialer_refuse('dialer_holidays.name', NEW.name,
            'write a name up to 400 characters without control characters, or leave the column out');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.source) AND char_length(NEW.source) BETWEEN 1 AND 40, false) THEN
        CALL dialer_refuse('dialer_holidays.source', NEW.source, 'write own, or leave the column out');
    END IF;
END
