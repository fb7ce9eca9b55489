-- dialer_refuse(p_column, p_value, p_remedy)
-- Refuse a row with one sentence that names column, value (cut to 100 characters) and remedy; SQLSTATE 23514.
CREATE OR REPLACE PROCEDURE dialer_refuse(p_column varchar(400), p_value varchar(1000), p_remedy varchar(400))
NO SQL
BEGIN
    DECLARE v_text varchar(1000) DEFAULT concat(p_column, ' is ''', left(p_value, 100), ''': ', p_remedy);
    -- The number of a CHECK constraint, so that drivers take it for what it is.
    SIGNAL SQLSTATE '23514' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = v_text;
END
