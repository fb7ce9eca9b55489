-- dialer_setting(p_name) -> text
-- A row of dialer_settings; NULL when there is none.
CREATE OR REPLACE FUNCTION dialer_setting(p_name varchar(400))
RETURNS varchar(400)
READS SQL DATA
RETURN (SELECT s.value FROM dialer_settings s WHERE s.name = p_name)
