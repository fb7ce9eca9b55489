-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks.
CREATE OR REPLACE TRIGGER dialer_trunks_before_write BEFORE INSERT OR UPDATE ON dialer_trunks
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_trunks');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.trunk) AND char_length(NEW.trunk) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_trunks.trunk', NEW.trunk,
            'write a name, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.asterisk) AND char_length(NEW.asterisk) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_trunks.asterisk', NEW.asterisk, 'write the name of an Asterisk of the settings');
    END IF;
    IF NOT coalesce(NEW.max_lines >= 0, false) THEN
        CALL dialer_refuse('dialer_trunks.max_lines', NEW.max_lines, 'write 0 or more');
    END IF;
    IF NOT coalesce(NEW.calls_per_second BETWEEN 0.001 AND 10000, false) THEN
        CALL dialer_refuse('dialer_trunks.calls_per_second', NEW.calls_per_second, 'write a number from 0.001 to 10000');
    END IF;
    IF NOT coalesce(NEW.burst BETWEEN 1 AND 1000, false) THEN
        CALL dialer_refuse('dialer_trunks.burst', NEW.burst, 'write calls, 1 to 1000');
    END IF;
    -- A channel's name has at most 255 bytes in AMI, of which the number may take 80.
    IF NOT coalesce(NEW.dial_template REGEXP '^[A-Za-z0-9_]+/[^,&]*\\z' AND dialer_printable(NEW.dial_template)
        AND NEW.dial_template NOT LIKE '% %' AND NEW.dial_template REGEXP '^[^{}]*[{]number[}][^{}]*\\z'
        AND octet_length(NEW.dial_template) <= 180, false) THEN
        CALL dialer_refuse('dialer_trunks.dial_template', NEW.dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n, up to 180 bytes');
    END IF;
END
