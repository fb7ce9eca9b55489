-- Trigger, BEFORE INSERT OR UPDATE ON dialer_settings: refuses values that the dialer could not read. Names that the
-- dialer does not know are not checked.
CREATE OR REPLACE FUNCTION dialer_settings_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT coalesce(dialer_printable(NEW.name) AND length(NEW.name) BETWEEN 1 AND 100, false) THEN
        PERFORM dialer_refuse('dialer_settings.name', NEW.name, 'write a name, up to 100 characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.value) AND length(NEW.value) <= 200, false) THEN
        PERFORM dialer_refuse('dialer_settings.value', NEW.value,
            'write up to 200 characters, without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.description) AND length(NEW.description) <= 200, false) THEN
        PERFORM dialer_refuse('dialer_settings.description', NEW.description,
            'write up to 200 characters, without control characters');
    END IF;
    IF NEW.name = 'server_zone' AND NOT dialer_zone_known(NEW.value) THEN
        PERFORM dialer_refuse('dialer_settings.value', NEW.value,
            'server_zone is an IANA zone like Europe/Moscow that the server knows, or an offset like +03.00h');
    END IF;
    IF NEW.name = 'virtual_clock' AND NEW.value NOT IN ('true', 'false') THEN
        PERFORM dialer_refuse('dialer_settings.value', NEW.value, 'virtual_clock is true or false');
    END IF;
    IF NEW.name IN ('max_call_seconds', 'abandoned_hours', 'journal_hours')
       AND (CASE WHEN NEW.value ~ '^[0-9]{1,6}([.][0-9]{1,6})?$' THEN NEW.value::numeric END <= 100000) IS NOT TRUE THEN
        PERFORM dialer_refuse('dialer_settings.value', NEW.value, NEW.name || ' is a number, 0 to 100000');
    END IF;
    IF NEW.name = 'country' AND NEW.value <> ''
       AND NOT EXISTS (SELECT FROM dialer_countries p WHERE p.country = NEW.value) THEN
        PERFORM dialer_refuse('dialer_settings.value', NEW.value,
            'country is the two capital letters of a country (ISO 3166-1), like RU, or empty');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_settings_before_write BEFORE INSERT OR UPDATE ON dialer_settings
FOR EACH ROW EXECUTE FUNCTION dialer_settings_before_write()
