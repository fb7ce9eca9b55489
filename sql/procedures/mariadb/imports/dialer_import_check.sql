-- dialer_import_check(p_project)
-- Look at the lines in dialer_import_lines one by one: what is wrong with a value goes into reason
-- (dialer_import_fault; of further numbers, what dialer_case_numbers_before_write refuses). The first numbers of the
-- others, in their one form, go into dialer_import_numbers with the place of each (MariaDB: dialer_import_places), and
-- their further numbers stay in dialer_import_further, each once. Needs no other line and no case, and locks nothing:
-- whoever imports checks the next lines while those before them are inserted. If countries or prefixes change
-- meanwhile, dialer_attempt_begin sees it.
CREATE OR REPLACE PROCEDURE dialer_import_check(p_project varchar(400))
BEGIN
    DECLARE v_country varchar(2) DEFAULT dialer_country(p_project);
    DECLARE v_several tinyint(1) DEFAULT EXISTS (SELECT 1 FROM dialer_import_further);
    DECLARE v_lowest varchar(100);
    DECLARE v_highest varchar(100);
    -- Most lines are plainly good; a call costs more than this.
    UPDATE dialer_import_lines l
    SET l.reason = dialer_import_fault(l.case_name, p_project, l.phone_number, l.priority, l.utc, l.allowed_start,
        l.allowed_stop, l.call_back, l.call_back_period, l.deferred_time, l.region, l.fields)
    WHERE NOT coalesce(concat_ws('\n', l.phone_number, coalesce(l.utc, ''), coalesce(l.allowed_start, '0:00'),
            coalesce(l.allowed_stop, '0:00'), coalesce(l.case_name, '')) REGEXP
            '^[+]?[0-9]{1,80}\\n([+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?)?\\n'
            '([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\\n([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\\n'
            '[^\\x00-\\x1f\\x7f-\\x{9f}]*\\z'
        AND coalesce(char_length(l.case_name), 0) <= 1000 AND coalesce(char_length(l.fields), 0) <= 10000
        AND coalesce(l.priority, '1') IN ('1', '2', '3', '4', '5') AND coalesce(l.call_back, '0') IN ('0', '1')
        AND (l.region IS NULL OR l.region REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z')
        AND (l.fields IS NULL OR left(l.fields, 1) = '{' AND json_valid(l.fields))
        AND l.call_back_period IS NULL AND l.deferred_time IS NULL AND p_project REGEXP '^[A-Za-z0-9_-]+\\z', false);
    IF v_several THEN
        UPDATE dialer_import_lines l
        JOIN (
            SELECT o.line, min(o.place) AS place FROM dialer_import_further o
            WHERE o.phone_number NOT REGEXP '^[+*#]*[0-9][+*#0-9]*\\z' OR char_length(o.phone_number) > 80
            GROUP BY o.line
        ) b ON b.line = l.line
        JOIN dialer_import_further f ON f.line = b.line AND f.place = b.place
        SET l.reason = dialer_refusal('dialer_case_numbers.phone_number', left(f.phone_number, 400),
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes')
        WHERE l.reason IS NULL;
    END IF;
    INSERT INTO dialer_import_numbers (line, number)
    SELECT l.line, IF(v_country IS NULL OR left(l.phone_number, 1) = '+', l.phone_number,
        dialer_number(l.phone_number, v_country))
    FROM dialer_import_lines l WHERE l.reason IS NULL;
    -- As dialer_place, without a call for each: in which of the ranges a number is, by how many begin before it; of
    -- those between the lowest and the highest number.
    SELECT min(substr(n.number, 2)), max(substr(n.number, 2)) INTO v_lowest, v_highest
    FROM dialer_import_numbers n WHERE n.number LIKE '+%';
    SELECT r.begins INTO v_lowest FROM dialer_number_ranges r
    WHERE r.begins <= v_lowest ORDER BY r.begins DESC LIMIT 1;
    DELETE FROM dialer_import_places;
    INSERT INTO dialer_import_places (line, begins)
    SELECT n.line, r.begins
    FROM (
        SELECT k.line, count(k.begins) OVER (ORDER BY k.digits, k.line ROWS UNBOUNDED PRECEDING) AS place
        FROM (
            SELECT NULL AS line, g.begins AS digits, g.begins FROM dialer_number_ranges g
            WHERE g.begins BETWEEN v_lowest AND v_highest
            UNION ALL
            SELECT m.line, substr(m.number, 2), NULL FROM dialer_import_numbers m WHERE m.number LIKE '+%'
        ) k
    ) n
    JOIN (
        SELECT row_number() OVER (ORDER BY g.begins) AS place, g.begins FROM dialer_number_ranges g
        WHERE g.begins BETWEEN v_lowest AND v_highest
    ) r ON r.place = n.place
    WHERE n.line IS NOT NULL;
    IF v_several THEN
        DELETE f FROM dialer_import_further f JOIN dialer_import_lines l ON l.line = f.line WHERE l.reason IS NOT NULL;
        UPDATE dialer_import_further f
        SET f.number = IF(v_country IS NULL OR left(f.phone_number, 1) = '+', f.phone_number,
            dialer_number(f.phone_number, v_country));
        -- Two forms of one number.
        DELETE f FROM dialer_import_further f
        JOIN (
            SELECT o.line, o.place, row_number() OVER (PARTITION BY o.line, o.number ORDER BY o.place) AS nth
            FROM (
                SELECT n.line, 1 AS place, n.number FROM dialer_import_numbers n
                UNION ALL
                SELECT k.line, k.place, k.number FROM dialer_import_further k
            ) o
        ) g ON g.line = f.line AND g.place = f.place
        WHERE g.nth > 1;
    END IF;
END
