-- Trigger, BEFORE INSERT OR UPDATE ON dialer_prefixes: the checks. Zones in a row that is not people's own are
-- left out if this server does not know them: its zones are older, or have not been loaded yet.
CREATE OR REPLACE TRIGGER dialer_prefixes_before_write BEFORE INSERT OR UPDATE ON dialer_prefixes
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_prefixes');
    END IF;
    IF NOT coalesce(NEW.prefix REGEXP '^[0-9]{1,15}\\z', false) THEN
        CALL dialer_refuse('dialer_prefixes.prefix', NEW.prefix,
            'write how numbers begin, country code first, 1 to 15 digits without +');
    END IF;
    IF NEW.country NOT REGEXP '^[A-Z]{2}\\z' THEN
        CALL dialer_refuse('dialer_prefixes.country', NEW.country,
            'write the two capital letters of a country (ISO 3166-1), like RU, or NULL');
    END IF;
    IF NEW.region NOT REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z' THEN
        CALL dialer_refuse('dialer_prefixes.region', NEW.region,
            'write a part of a country like US-FL (ISO 3166-2), or NULL');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.source) AND char_length(NEW.source) BETWEEN 1 AND 40, false) THEN
        CALL dialer_refuse('dialer_prefixes.source', NEW.source, 'write own, or leave the column out');
    END IF;
    IF NEW.zones IS NOT NULL AND NOT coalesce(dialer_zones_known(NEW.zones), false) THEN
        IF NEW.source <> 'own' THEN
            SET NEW.zones = NULL;
        ELSE
            CALL dialer_refuse('dialer_prefixes.zones', NEW.zones,
                'write IANA zones joined by &, like America/Chicago&America/New_York, or NULL: it proves no place');
        END IF;
    END IF;
END
