-- Trigger, BEFORE INSERT OR UPDATE ON dialer_settings: refuses values that the dialer could not read. Names that the
-- dialer does not know are not checked.
CREATE OR REPLACE TRIGGER dialer_settings_before_write BEFORE INSERT OR UPDATE ON dialer_settings
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_settings');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.name) AND char_length(NEW.name) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_settings.name', NEW.name, 'write a name, up to 100 characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.value) AND char_length(NEW.value) <= 200, false) THEN
        CALL dialer_refuse('dialer_settings.value', NEW.value, 'write up to 200 characters, without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.description) AND char_length(NEW.description) <= 200, false) THEN
        CALL dialer_refuse('dialer_settings.description', NEW.description,
            'write up to 200 characters, without control characters');
    END IF;
    IF NEW.name = 'server_zone' AND NOT dialer_zone_known(NEW.value) THEN
        CALL dialer_refuse('dialer_settings.value', NEW.value,
            'server_zone is an IANA zone like Europe/Moscow that the server knows, or an offset like +03.00h');
    END IF;
    IF NEW.name = 'virtual_clock' AND NEW.value NOT IN ('true', 'false') THEN
        CALL dialer_refuse('dialer_settings.value', NEW.value, 'virtual_clock is true or false');
    END IF;
    IF NEW.name IN ('max_call_seconds', 'abandoned_hours', 'journal_hours')
       AND NOT (NEW.value REGEXP '^[0-9]{1,6}([.][0-9]{1,6})?\\z' AND CAST(NEW.value AS decimal(12, 6)) <= 100000) THEN
        CALL dialer_refuse('dialer_settings.value', NEW.value, concat(NEW.name, ' is a number, 0 to 100000'));
    END IF;
    IF NEW.name = 'country' AND NEW.value <> ''
       AND NOT EXISTS (SELECT 1 FROM dialer_countries p WHERE p.country = NEW.value) THEN
        CALL dialer_refuse('dialer_settings.value', NEW.value,
            'country is the two capital letters of a country (ISO 3166-1), like RU, or empty');
    END IF;
END
