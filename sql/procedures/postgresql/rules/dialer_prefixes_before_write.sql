-- Trigger, BEFORE INSERT OR UPDATE ON dialer_prefixes: the checks. Zones in a row that is not people's own are
-- left out if this server does not know them: its zones are older, or have not been loaded yet.
CREATE OR REPLACE FUNCTION dialer_prefixes_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT coalesce(NEW.prefix ~ '^[0-9]{1,15}$', false) THEN
        PERFORM dialer_refuse('dialer_prefixes.prefix', NEW.prefix,
            'write how numbers begin, country code first, 1 to 15 digits without +');
    END IF;
    IF NEW.country !~ '^[A-Z]{2}$' THEN
        PERFORM dialer_refuse('dialer_prefixes.country', NEW.country,
            'write the two capital letters of a country (ISO 3166-1), like RU, or NULL');
    END IF;
    IF NEW.region !~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$' THEN
        PERFORM dialer_refuse('dialer_prefixes.region', NEW.region,
            'write a part of a country like US-FL (ISO 3166-2), or NULL');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.source) AND length(NEW.source) BETWEEN 1 AND 40, false) THEN
        PERFORM dialer_refuse('dialer_prefixes.source', NEW.source, 'write own, or leave the column out');
    END IF;
    IF NEW.zones IS NOT NULL AND NOT coalesce(dialer_zones_known(NEW.zones), false) THEN
        IF NEW.source <> 'own' THEN
            NEW.zones := NULL;
        ELSE
            PERFORM dialer_refuse('dialer_prefixes.zones', NEW.zones,
                'write IANA zones joined by &, like America/Chicago&America/New_York, or NULL: it proves no place');
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_prefixes_before_write BEFORE INSERT OR UPDATE ON dialer_prefixes
FOR EACH ROW EXECUTE FUNCTION dialer_prefixes_before_write()
