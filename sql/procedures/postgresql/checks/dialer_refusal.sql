-- dialer_refusal(p_column, p_value, p_remedy) -> sentence
-- What is wrong with a value of a row: column, value (cut to 100 characters, control characters as \000A) and remedy.
CREATE OR REPLACE FUNCTION dialer_refusal(p_column varchar, p_value varchar, p_remedy varchar)
RETURNS varchar
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    v_shown varchar;
BEGIN
    SELECT string_agg(CASE WHEN ascii(c.one) BETWEEN 1 AND 31 OR ascii(c.one) BETWEEN 127 AND 159
            THEN '\' || lpad(upper(to_hex(ascii(c.one))), 4, '0') ELSE c.one END, '' ORDER BY c.place)
    INTO v_shown
    FROM regexp_split_to_table(left(p_value, 100), '') WITH ORDINALITY c (one, place);
    RETURN p_column || ' is ' || coalesce('''' || v_shown || '''', 'NULL') || ': ' || p_remedy;
END
$$
