-- dialer_refuse(p_column, p_value, p_remedy)
-- Refuse a row with one sentence that names column, value (cut to 100 characters, control characters as \000A) and remedy;
-- SQLSTATE 23514.
CREATE OR REPLACE FUNCTION dialer_refuse(p_column varchar, p_value varchar, p_remedy varchar)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    v_shown varchar;
BEGIN
    SELECT string_agg(CASE WHEN ascii(c.one) BETWEEN 1 AND 31 OR ascii(c.one) BETWEEN 127 AND 159
            THEN '\' || lpad(upper(to_hex(ascii(c.one))), 4, '0') ELSE c.one END, '' ORDER BY c.place)
    INTO v_shown
    FROM regexp_split_to_table(left(p_value, 100), '') WITH ORDINALITY c (one, place);
    RAISE EXCEPTION '% is %: %', p_column, coalesce('''' || v_shown || '''', 'NULL'), p_remedy
        USING ERRCODE = '23514';
END
$$
