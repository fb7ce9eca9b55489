-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks.
CREATE OR REPLACE FUNCTION dialer_trunks_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.trunk ~ '[\x01-\x1f\x7f]' OR NEW.trunk = '' THEN
        PERFORM dialer_refuse('dialer_trunks.trunk', NEW.trunk, 'write a name, without control characters');
    END IF;
    IF NEW.asterisk ~ '[\x01-\x1f\x7f]' OR NEW.asterisk = '' THEN
        PERFORM dialer_refuse('dialer_trunks.asterisk', NEW.asterisk, 'write the name of an Asterisk of the settings');
    END IF;
    IF NEW.max_lines < 0 THEN
        PERFORM dialer_refuse('dialer_trunks.max_lines', NEW.max_lines::varchar, 'write 0 or more');
    END IF;
    IF NOT NEW.calls_per_second BETWEEN 0.001 AND 10000 THEN
        PERFORM dialer_refuse('dialer_trunks.calls_per_second', NEW.calls_per_second::varchar,
            'write a number from 0.001 to 10000');
    END IF;
    IF NEW.dial_template !~ '^[A-Za-z0-9_]+/[^,&]*$' OR NEW.dial_template ~ '[\x01-\x20\x7f]'
       OR NEW.dial_template !~ '^[^{}]*[{]number[}][^{}]*$' THEN
        PERFORM dialer_refuse('dialer_trunks.dial_template', NEW.dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n');
    END IF;
    RETURN NEW;
END
$$
