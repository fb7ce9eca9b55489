-- dialer_setting_number(p_name, p_default) -> number
-- A number of dialer_settings, 0 to 100000; p_default if there is no such row or it holds anything else.
CREATE OR REPLACE FUNCTION dialer_setting_number(p_name varchar, p_default numeric)
RETURNS numeric
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT CASE WHEN v.value ~ '^[0-9]{1,6}(\.[0-9]{1,6})?$' THEN least(v.value::numeric, 100000) ELSE p_default END
    FROM (SELECT dialer_setting(p_name) AS value) v
$$
