-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks.
CREATE OR REPLACE FUNCTION dialer_trunks_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT coalesce(dialer_printable(NEW.trunk) AND length(NEW.trunk) BETWEEN 1 AND 100, false) THEN
        PERFORM dialer_refuse('dialer_trunks.trunk', NEW.trunk,
            'write a name, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.asterisk) AND length(NEW.asterisk) BETWEEN 1 AND 100, false) THEN
        PERFORM dialer_refuse('dialer_trunks.asterisk', NEW.asterisk, 'write the name of an Asterisk of the settings');
    END IF;
    IF NOT coalesce(NEW.max_lines >= 0, false) THEN
        PERFORM dialer_refuse('dialer_trunks.max_lines', NEW.max_lines::varchar, 'write 0 or more');
    END IF;
    IF NOT coalesce(NEW.calls_per_second BETWEEN 0.001 AND 10000, false) THEN
        PERFORM dialer_refuse('dialer_trunks.calls_per_second', NEW.calls_per_second::varchar,
            'write a number from 0.001 to 10000');
    END IF;
    IF NOT coalesce(NEW.burst BETWEEN 1 AND 1000, false) THEN
        PERFORM dialer_refuse('dialer_trunks.burst', NEW.burst::varchar, 'write calls, 1 to 1000');
    END IF;
    -- A channel's name has at most 255 bytes in AMI, of which the number may take 80.
    IF NOT coalesce(NEW.dial_template ~ '^[A-Za-z0-9_]+/[^,&]*$' AND dialer_printable(NEW.dial_template)
        AND NEW.dial_template NOT LIKE '% %' AND NEW.dial_template ~ '^[^{}]*[{]number[}][^{}]*$'
        AND octet_length(NEW.dial_template) <= 180, false) THEN
        PERFORM dialer_refuse('dialer_trunks.dial_template', NEW.dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n, up to 180 bytes');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_trunks_before_write
BEFORE INSERT OR UPDATE OF trunk, asterisk, dial_template, max_lines, calls_per_second, burst
ON dialer_trunks
FOR EACH ROW EXECUTE FUNCTION dialer_trunks_before_write()
