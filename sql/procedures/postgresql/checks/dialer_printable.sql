-- dialer_printable(p_text) -> bool
-- Is it free of control characters (Unicode's Cc) and half surrogate pairs? A line break in a name would begin another
-- header in AMI and another line in a log; half a pair is no text to who reads it.
CREATE OR REPLACE FUNCTION dialer_printable(p_text varchar)
RETURNS bool
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- In a database of another encoding the second half of them are letters. Half pairs the server refuses itself.
    SELECT p_text !~ CASE getdatabaseencoding() WHEN 'UTF8' THEN '[\x01-\x1f\x7f-\x9f]' ELSE '[\x01-\x1f\x7f]' END
$$
