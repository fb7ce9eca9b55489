-- dialer_refuse(p_column, p_value, p_remedy)
-- Refuse a row with one sentence that names column, value (cut to 100 characters, control characters as \000A) and
-- remedy; SQLSTATE 23514.
CREATE OR REPLACE PROCEDURE dialer_refuse(p_column varchar(400), p_value varchar(4000), p_remedy varchar(400))
NO SQL
BEGIN
    DECLARE v_text varchar(2000) DEFAULT dialer_refusal(p_column, p_value, p_remedy);
    -- The error number of a CHECK constraint, so that drivers report the right kind of error.
    SIGNAL SQLSTATE '23514' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = v_text;
END
