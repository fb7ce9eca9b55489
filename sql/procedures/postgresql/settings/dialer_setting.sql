-- dialer_setting(p_name) -> text
-- A row of dialer_settings; NULL when there is none.
CREATE OR REPLACE FUNCTION dialer_setting(p_name varchar)
RETURNS varchar
-- Not LANGUAGE sql: that would be planned again for each query that calls it.
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (SELECT s.value FROM dialer_settings s WHERE s.name = p_name);
END
$$
