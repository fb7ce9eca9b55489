-- dialer_offset_written(p_at, p_loaded) -> bool
-- Can p_at, a value in the row that the current statement writes, be a misread instant with an offset? MariaDB takes
-- the 3 of '2026-11-29 10:00+03' for seconds and that of '10+03' for minutes, without a warning (an offset with minutes
-- or after the seconds raises one). So the statement's own text is searched for such a literal. p_loaded: in a LOAD
-- DATA, whose values cannot be seen, seconds from 1 to 14 count as an offset, unless it reads the instant with
-- str_to_date, which refuses an offset. Values from a text column of another table, or from a variable, are not seen.
-- Reading the text takes 0.4 ms, plus 1 ms per MB of it; @dialer_read_at and @dialer_offset_written hold the answer for
-- the rest of the statement, and the triggers ask them first.
CREATE OR REPLACE FUNCTION dialer_offset_written(p_at datetime(6), p_loaded tinyint(1))
RETURNS tinyint(1)
READS SQL DATA
BEGIN
    -- NOW(6) is the same throughout a statement.
    IF coalesce(@dialer_read_at <> now(6), true) THEN
        BEGIN
            -- Not SELECT … INTO: that would itself be the current statement.
            DECLARE v_text longtext DEFAULT (
                SELECT p.info FROM information_schema.processlist p WHERE p.id = connection_id());
            -- 1: such a literal · 2: values that cannot be seen
            SET @dialer_read_at = now(6), @dialer_offset_written = CASE
                WHEN v_text REGEXP
                    '[0-9]{1,4}[^0-9''"][0-9]{1,2}[^0-9''"][0-9]{1,2}[ T]+[0-9]{1,2}(:[0-9]{1,2})?[+-][0-9]{1,2}[''"\\\\]'
                    THEN 1
                WHEN v_text REGEXP '(?i)^[^''"]*\\bload\\s+(data|xml)\\b' AND v_text NOT REGEXP '(?i)\\bstr_to_date\\b' THEN 2
                ELSE 0
            END;
        END;
    END IF;
    RETURN microsecond(p_at) = 0 AND CASE @dialer_offset_written
        WHEN 1 THEN second(p_at) <= 14
        WHEN 2 THEN p_loaded AND second(p_at) BETWEEN 1 AND 14
        ELSE false
    END;
END
