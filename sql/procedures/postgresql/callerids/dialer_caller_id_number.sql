-- dialer_caller_id_number(p_caller_id, p_project) -> number
-- The number that a caller ID shows (`number` or `Name <number>`), in one form as dialer_number makes it by the numbering
-- plan of p_project (NULL: the installation's), so that its calls are counted together however it is written. NULL: there
-- is no digit in it.
CREATE OR REPLACE FUNCTION dialer_caller_id_number(p_caller_id varchar, p_project varchar)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_shown varchar := coalesce(substring(p_caller_id FROM '<([^<>]*)>[^<>]*$'), p_caller_id);
    v_digits varchar := regexp_replace(v_shown, '[^0-9]', '', 'g');
BEGIN
    RETURN CASE
        WHEN v_digits = '' THEN NULL
        WHEN v_shown ~ '^ *[+]' THEN '+' || v_digits
        ELSE dialer_number(v_digits, dialer_country(coalesce(p_project, '')))
    END;
END
$$
