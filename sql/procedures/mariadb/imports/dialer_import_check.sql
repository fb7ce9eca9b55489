-- dialer_import_check(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry) -> line, skipped, reason
-- The lines in dialer_import_lines that are not to be inserted, in order, and why; dialer_import_put inserts the others,
-- whose numbers are in dialer_import_numbers then, and their further numbers, each once, in dialer_import_further. Bad
-- values first (dialer_import_fault; of further numbers, what dialer_case_numbers_before_write refuses), then numbers, in
-- their one form, that are there already: on an earlier line of the file that is inserted, in the project, in another
-- project. A line is there if its first number is one of a case's numbers, or a further one a case's first: people who
-- only share a further number, of their house or firm, are not taken for one. Each of the three is told to 'keep' such a
-- line, to 'skip' or to 'refuse' it. p_import: its cases are lines of the same file. p_dry: the numbers are noted in
-- dialer_import_seen instead.
-- Locks, unless p_dry: the imports under way into the project, or all if a number may not be elsewhere.
CREATE OR REPLACE PROCEDURE dialer_import_check(
    p_import bigint,
    p_project varchar(400),
    p_in_file varchar(10),
    p_in_project varchar(10),
    p_elsewhere varchar(10),
    p_dry tinyint(1)
)
BEGIN
    DECLARE v_country varchar(2) DEFAULT dialer_country(p_project);
    DECLARE v_several tinyint(1) DEFAULT EXISTS (SELECT 1 FROM dialer_import_further);
    DECLARE v_imports int;
    IF NOT p_dry THEN
        -- Two imports take turns, or each of them would not see what the other one is about to insert.
        SELECT count(*) INTO v_imports FROM dialer_imports i
        WHERE i.ended_at IS NULL AND i.undone_at IS NULL AND (i.project_id = p_project OR p_elsewhere <> 'keep')
        FOR UPDATE;
    END IF;
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
    IF 'keep' <> p_in_file OR 'keep' <> p_in_project OR 'keep' <> p_elsewhere THEN
        CALL dialer_import_doubles(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry);
    END IF;
    SELECT l.line, l.skipped, l.reason FROM dialer_import_lines l WHERE l.reason IS NOT NULL ORDER BY l.line;
END
