-- dialer_caller_id_number(p_caller_id, p_project) -> number
-- The number that a caller ID shows (`number` or `Name <number>`), in one form as dialer_number makes it by the numbering
-- plan of p_project (NULL: the installation's), so that its calls are counted together however it is written. NULL: there
-- is no digit in it.
CREATE OR REPLACE FUNCTION dialer_caller_id_number(p_caller_id varchar(400), p_project varchar(400))
RETURNS varchar(400)
READS SQL DATA
BEGIN
    DECLARE v_shown varchar(400) DEFAULT IF(p_caller_id REGEXP '<[^<>]*>[^<>]*\\z',
        regexp_replace(p_caller_id, '(?s)^.*<([^<>]*)>[^<>]*\\z', '\\1'), p_caller_id);
    DECLARE v_digits varchar(400) DEFAULT regexp_replace(v_shown, '[^0-9]', '');
    RETURN CASE
        WHEN v_digits = '' THEN NULL
        WHEN v_shown REGEXP '^ *[+]' THEN concat('+', v_digits)
        ELSE dialer_number(v_digits, dialer_country(coalesce(p_project, '')))
    END;
END
