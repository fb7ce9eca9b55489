-- dialer_setting(p_name) -> text
-- A row of dialer_settings; NULL when there is none.
CREATE OR REPLACE FUNCTION dialer_setting(p_name varchar)
RETURNS varchar
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT value FROM dialer_settings WHERE name = p_name
$$
