-- dialer_printable(p_text) -> bool
-- Is it free of control characters (Unicode's Cc)? A line break in a name would begin another header in AMI and another
-- line in a log.
CREATE OR REPLACE FUNCTION dialer_printable(p_text varchar(4000))
RETURNS tinyint(1)
DETERMINISTIC NO SQL
RETURN p_text NOT REGEXP '[\\x00-\\x1f\\x7f-\\x{9f}]'
