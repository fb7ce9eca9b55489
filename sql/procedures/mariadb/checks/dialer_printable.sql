-- dialer_printable(p_text) -> bool
-- Is it free of control characters (Unicode's Cc) and half surrogate pairs? A line break in a name would begin another
-- header in AMI and another line in a log; half a pair is not valid text for readers.
CREATE OR REPLACE FUNCTION dialer_printable(p_text varchar(4000))
RETURNS tinyint(1)
DETERMINISTIC NO SQL
-- As bytes, since half a pair is not text to a pattern of characters.
RETURN CAST(p_text AS binary) NOT REGEXP '[\\x00-\\x1f\\x7f]|\\xC2[\\x80-\\x9F]|\\xED[\\xA0-\\xBF]'
