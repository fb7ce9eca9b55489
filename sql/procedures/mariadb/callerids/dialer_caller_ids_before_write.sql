-- Trigger, BEFORE INSERT OR UPDATE ON dialer_caller_ids: the checks; then the number in caller_id in one form.
CREATE OR REPLACE TRIGGER dialer_caller_ids_before_write BEFORE INSERT OR UPDATE ON dialer_caller_ids
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_caller_ids');
    END IF;
    IF NOT dialer_printable(NEW.project_id) OR char_length(NEW.project_id) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_caller_ids.project_id', NEW.project_id,
            'write a project_id of dialer_params, or NULL (any project)');
    END IF;
    IF NOT dialer_printable(NEW.client) OR char_length(NEW.client) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_caller_ids.client', NEW.client, 'write a client of dialer_params, or NULL (any)');
    END IF;
    IF NEW.region NOT REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z' THEN
        CALL dialer_refuse('dialer_caller_ids.region', NEW.region,
            'write a country like US, or a part of one like US-FL, or NULL (anywhere)');
    END IF;
    IF NEW.purpose NOT IN ('sales', 'debt', 'research', 'service') THEN
        CALL dialer_refuse('dialer_caller_ids.purpose', NEW.purpose,
            'write sales, debt, research or service, or NULL (any)');
    END IF;
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
