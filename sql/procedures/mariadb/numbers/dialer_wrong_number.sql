-- dialer_wrong_number(p_disposition) -> bool
-- Does an agent's code say that the number is not the subscriber's? Those that do stand in dialer_settings
-- (wrong_number_codes), by commas; capitals and blanks around them do not matter.
CREATE OR REPLACE FUNCTION dialer_wrong_number(p_disposition varchar(400))
RETURNS tinyint(1)
READS SQL DATA
BEGIN
    DECLARE v_codes varchar(400);
    IF coalesce(trim(p_disposition), '') = '' THEN
        RETURN false;
    END IF;
    SET v_codes = regexp_replace(lower(trim(dialer_setting('wrong_number_codes'))), ' *, *', ',');
    -- A code with a comma is none of them.
    RETURN coalesce(find_in_set(lower(trim(p_disposition)), v_codes) > 0, false);
END
