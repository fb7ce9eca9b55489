-- dialer_refuse(p_column, p_value, p_remedy)
-- Refuse a row with one sentence that names column, value (cut to 100 characters, control characters as \000A) and
-- remedy; SQLSTATE 23514.
CREATE OR REPLACE FUNCTION dialer_refuse(p_column varchar, p_value varchar, p_remedy varchar)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RAISE EXCEPTION '%', dialer_refusal(p_column, p_value, p_remedy) USING ERRCODE = '23514';
END
$$
