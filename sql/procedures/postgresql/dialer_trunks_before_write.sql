-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks; a new template is tried at once.
CREATE OR REPLACE FUNCTION dialer_trunks_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.dial_template !~ '^[A-Za-z0-9_]+/[^,&]*$' OR NEW.dial_template ~ '[\x01-\x20\x7f]'
       OR NEW.dial_template !~ '^[^{}]*[{]number[}][^{}]*$' THEN
        PERFORM dialer_refuse('dialer_trunks.dial_template', NEW.dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n');
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.dial_template <> OLD.dial_template THEN
        NEW.state := 'ok';
        NEW.reason := NULL;
        NEW.since_at := now();
        NEW.retry_at := NULL;
        NEW.retries := 0;
        NEW.streak := 0;
    END IF;
    RETURN NEW;
END
$$
