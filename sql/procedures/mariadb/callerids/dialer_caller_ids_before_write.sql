-- Trigger, BEFORE INSERT OR UPDATE ON dialer_caller_ids: the checks; then the number in caller_id in one form.
CREATE OR REPLACE TRIGGER dialer_caller_ids_before_write BEFORE INSERT OR UPDATE ON dialer_caller_ids
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_caller_ids');
    END IF;
    CALL dialer_scope_check('dialer_caller_ids', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(dialer_printable(NEW.caller_id) AND char_length(NEW.caller_id) <= 200
        AND NEW.caller_id REGEXP '[0-9]', false) THEN
        CALL dialer_refuse('dialer_caller_ids.caller_id', NEW.caller_id,
            'write number or Name <number>, up to 200 characters');
    END IF;
    IF NEW.prefix NOT REGEXP '^[0-9]{1,15}\\z' THEN
        CALL dialer_refuse('dialer_caller_ids.prefix', NEW.prefix,
            'write how numbers begin, country code first, 1 to 15 digits without +, or NULL (any number)');
    END IF;
    IF NEW.most_per_day < 1 THEN
        CALL dialer_refuse('dialer_caller_ids.most_per_day', NEW.most_per_day,
            'write calls in 24 hours, 1 or more, or NULL (no cap)');
    END IF;
    SET NEW.number = coalesce(dialer_caller_id_number(NEW.caller_id, NEW.project_id), '');
    IF NEW.number = '' THEN
        CALL dialer_refuse('dialer_caller_ids.caller_id', NEW.caller_id,
            'write number or Name <number>, up to 200 characters');
    END IF;
END
