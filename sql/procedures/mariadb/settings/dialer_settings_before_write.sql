-- Trigger, BEFORE INSERT OR UPDATE ON dialer_settings: refuses values that the dialer could not read. Names that it does
-- not know are left to who wrote them.
CREATE OR REPLACE PROCEDURE dialer_settings_before_write(p_name varchar(400), p_value varchar(400), p_description varchar(400))
READS SQL DATA
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_settings');
    END IF;
    IF NOT coalesce(dialer_printable(p_name) AND char_length(p_name) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_settings.name', p_name, 'write a name, up to 100 characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_value) AND char_length(p_value) <= 200, false) THEN
        CALL dialer_refuse('dialer_settings.value', p_value, 'write up to 200 characters, without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_description) AND char_length(p_description) <= 200, false) THEN
        CALL dialer_refuse('dialer_settings.description', p_description,
            'write up to 200 characters, without control characters');
    END IF;
    IF p_name = 'server_zone' AND NOT dialer_zone_known(p_value) THEN
        CALL dialer_refuse('dialer_settings.value', p_value,
            'server_zone is an IANA zone like Europe/Moscow that the server knows, or an offset like +03.00h');
    END IF;
    IF p_name = 'virtual_clock' AND p_value NOT IN ('true', 'false') THEN
        CALL dialer_refuse('dialer_settings.value', p_value, 'virtual_clock is true or false');
    END IF;
    IF p_name IN ('max_call_seconds', 'abandoned_hours', 'journal_hours')
       AND NOT (p_value REGEXP '^[0-9]{1,6}([.][0-9]{1,6})?\\z' AND CAST(p_value AS decimal(12, 6)) <= 100000) THEN
        CALL dialer_refuse('dialer_settings.value', p_value, concat(p_name, ' is a number, 0 to 100000'));
    END IF;
END
