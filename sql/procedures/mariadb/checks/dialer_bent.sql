-- dialer_bent(p_table)
-- Refuse what the server has bent to fit a column of a row: with IGNORE, LOAD DATA or without a strict sql_mode 'high'
-- becomes 0, a long text is cut, an instant loses its offset, with nothing but a warning. For the BEFORE triggers of
-- the tables that people write, if the statement has warnings: they see the row as bent, and the statement's warnings
-- so far. Only warnings about a column count, not that IGNORE has skipped a row that was there already. Also refuses a
-- session in which warnings or values would go unseen, because of its max_error_count, or because its
-- default_regex_flags change what the patterns of the checks mean.
CREATE OR REPLACE PROCEDURE dialer_bent(p_table varchar(400))
NO SQL
BEGIN
    DECLARE v_count int;
    DECLARE v_place int DEFAULT 1;
    DECLARE v_number int;
    DECLARE v_words varchar(1000);
    DECLARE v_column varchar(1000);
    DECLARE v_value varchar(1000);
    GET DIAGNOSTICS v_count = NUMBER;
    IF @@default_regex_flags <> '' THEN
        CALL dialer_refuse('default_regex_flags', @@default_regex_flags,
            'with it values would not be checked as they should: SET default_regex_flags = ''''');
    END IF;
    -- The server keeps no more warnings than that, so what it bends afterwards would go unseen.
    IF v_count >= @@max_error_count THEN
        CALL dialer_refuse('max_error_count', @@max_error_count, concat('the statement has as many warnings, so',
            ' another one would go unseen: SET max_error_count = 65535, or write fewer rows at once'));
    END IF;
    WHILE v_place <= v_count DO
        GET DIAGNOSTICS CONDITION v_place v_number = MYSQL_ERRNO, v_words = MESSAGE_TEXT;
        -- 1048, 1263: NULL where none may be · 1261: a line of a file is too short · 1264: out of range · 1265: cut · 1292,
        -- 1366: no such value (1292 also of a comparison that reads a text as a number: that bends nothing) · 1411: as
        -- 1292, by str_to_date
        IF v_number IN (1048, 1261, 1263, 1264, 1265, 1366, 1411)
           OR (v_number = 1292 AND v_words NOT REGEXP ' (DOUBLE|DECIMAL|INTEGER) ') THEN
            -- The text is in the session's language. Values are in quotes, and the column comes last of all.
            SET v_column = regexp_substr(v_words, IF(v_number IN (1292, 1366, 1411),
                    '(?<=`)[a-z_]+(?=`[^`]*\\z)', '(?<='')[a-z_]+(?=''[^'']*\\z)')),
                v_value = IF(v_number IN (1292, 1366, 1411),
                    regexp_replace(v_words, '(?s)^[^'']*''(.*)''.*\\z', '\\1'), v_words);
            CALL dialer_refuse(concat(p_table, IF(v_column = '', '', '.'), v_column), v_value,
                IF(v_column IN ('deferred_time', 'created'),
                    'write an instant like 2026-11-24 09:00:00 in the zone of the session, without an offset',
                    'the server would store something else; write what the column holds'));
        END IF;
        SET v_place = v_place + 1;
    END WHILE;
END
