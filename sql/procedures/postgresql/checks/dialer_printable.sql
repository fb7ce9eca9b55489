-- dialer_printable(p_text) -> bool
-- Is it free of control characters (Unicode's Cc) and half surrogate pairs? A line break in a name would begin another
-- header in AMI and another line in a log; half a pair is not valid text for readers.
CREATE OR REPLACE FUNCTION dialer_printable(p_text varchar)
RETURNS bool
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- In a database with another encoding the upper half of the control characters are letters. The server itself
    -- refuses half pairs.
    SELECT p_text !~ CASE getdatabaseencoding() WHEN 'UTF8' THEN '[\x01-\x1f\x7f-\x9f]' ELSE '[\x01-\x1f\x7f]' END
$$
