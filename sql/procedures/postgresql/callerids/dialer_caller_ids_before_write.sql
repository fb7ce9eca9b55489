-- Trigger, BEFORE INSERT OR UPDATE ON dialer_caller_ids: the checks; then the number in caller_id in one form.
CREATE OR REPLACE FUNCTION dialer_caller_ids_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_scope_check('dialer_caller_ids', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(dialer_printable(NEW.caller_id) AND length(NEW.caller_id) <= 200 AND NEW.caller_id ~ '[0-9]', false)
    THEN
        PERFORM dialer_refuse('dialer_caller_ids.caller_id', NEW.caller_id,
            'write number or Name <number>, up to 200 characters');
    END IF;
    IF NEW.prefix !~ '^[0-9]{1,15}$' THEN
        PERFORM dialer_refuse('dialer_caller_ids.prefix', NEW.prefix,
            'write how numbers begin, country code first, 1 to 15 digits without +, or NULL (any number)');
    END IF;
    IF NEW.most_per_day < 1 THEN
        PERFORM dialer_refuse('dialer_caller_ids.most_per_day', NEW.most_per_day::varchar,
            'write calls in 24 hours, 1 or more, or NULL (no cap)');
    END IF;
    NEW.number := dialer_caller_id_number(NEW.caller_id, NEW.project_id);
    IF NEW.number IS NULL THEN
        PERFORM dialer_refuse('dialer_caller_ids.caller_id', NEW.caller_id,
            'write number or Name <number>, up to 200 characters');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_caller_ids_before_write BEFORE INSERT OR UPDATE ON dialer_caller_ids
FOR EACH ROW EXECUTE FUNCTION dialer_caller_ids_before_write()
