-- dialer_refusal(p_column, p_value, p_remedy) -> sentence
-- What is wrong with a value of a row: column, value (cut to 100 characters, control characters as \000A) and remedy.
CREATE OR REPLACE FUNCTION dialer_refusal(p_column varchar(400), p_value varchar(4000), p_remedy varchar(400))
RETURNS varchar(2000)
DETERMINISTIC NO SQL
-- The server would leave these three unescaped in a message.
RETURN concat(p_column, ' is ', coalesce(concat('''',
    replace(replace(replace(left(p_value, 100), '\n', '\\000A'), '\r', '\\000D'), '\t', '\\0009'), ''''), 'NULL'),
    ': ', p_remedy)
