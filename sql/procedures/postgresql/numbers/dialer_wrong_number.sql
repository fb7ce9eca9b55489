-- dialer_wrong_number(p_disposition) -> bool
-- Does an agent's code say that the number is not the subscriber's? Those that do stand in dialer_settings
-- (wrong_number_codes), by commas; capitals and blanks around them do not matter.
CREATE OR REPLACE FUNCTION dialer_wrong_number(p_disposition varchar)
RETURNS bool
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_disposition IS NULL THEN
        RETURN false;
    END IF;
    RETURN lower(btrim(p_disposition)) = ANY (
        SELECT btrim(c.code) FROM regexp_split_to_table(lower(dialer_setting('wrong_number_codes')), ',') c (code)
        WHERE btrim(c.code) <> '');
END
$$
