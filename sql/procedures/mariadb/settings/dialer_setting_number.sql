-- dialer_setting_number(p_name, p_default) -> number
-- A number of dialer_settings, 0 to 100000; p_default if there is no such row or it holds anything else.
CREATE OR REPLACE FUNCTION dialer_setting_number(p_name varchar(400), p_default decimal(12, 6))
RETURNS decimal(12, 6)
READS SQL DATA
BEGIN
    DECLARE v_value varchar(400) DEFAULT dialer_setting(p_name);
    IF v_value REGEXP '^[0-9]{1,6}(\\.[0-9]{1,6})?\\z' THEN
        RETURN least(CAST(v_value AS decimal(12, 6)), 100000);
    END IF;
    RETURN p_default;
END
