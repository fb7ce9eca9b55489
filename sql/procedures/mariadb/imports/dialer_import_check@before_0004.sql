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
    DECLARE v_place int;
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
        DELETE FROM dialer_import_faults;
        -- An UPDATE that joins dialer_clients would lock the cases that it reads; this does not. One look at a number's
        -- cases, by its index.
        INSERT INTO dialer_import_faults (line, place, fault, skipped)
        SELECT o.line, 1, ELT(o.found, 'the number is on an earlier line of the file', 'the number is in the project already',
                'the number is in another project'),
            ELT(o.found, p_in_file, p_in_project, p_elsewhere) = 'skip'
        FROM (
            SELECT k.line, CASE
                WHEN p_in_file <> 'keep' AND max(k.place = 'file') THEN 1
                WHEN p_in_project <> 'keep' AND max(k.place = 'project') THEN 2
                WHEN p_elsewhere <> 'keep' AND max(k.place = 'elsewhere') THEN 3
                END AS found
            FROM (
                SELECT n.line, 'file' AS place
                FROM (
                    SELECT m.number, min(m.line) AS line FROM dialer_import_numbers m
                    WHERE NOT v_several
                    GROUP BY m.number HAVING count(*) > 1
                ) d
                STRAIGHT_JOIN dialer_import_numbers n ON n.number = d.number AND n.line > d.line
                UNION ALL
                SELECT n.line, 'file'
                FROM dialer_import_numbers n
                STRAIGHT_JOIN dialer_import_seen s ON s.number = n.number
                WHERE p_dry
                UNION ALL
                SELECT n.line,
                    IF(c.project_id <> p_project, 'elsewhere', IF(c.import_id = p_import, 'file', 'project'))
                FROM dialer_import_numbers n
                STRAIGHT_JOIN dialer_clients c FORCE INDEX (dialer_clients_number) ON c.number = n.number
                UNION ALL
                SELECT n.line,
                    IF(c.project_id <> p_project, 'elsewhere', IF(c.import_id = p_import, 'file', 'project'))
                FROM dialer_import_numbers n
                STRAIGHT_JOIN dialer_case_numbers f FORCE INDEX (dialer_case_numbers_number)
                    ON f.number = n.number
                STRAIGHT_JOIN dialer_clients c FORCE INDEX (PRIMARY)
                    ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
                    AND (f.place > 1 OR c.phone_number = f.phone_number)
            ) k
            GROUP BY k.line
        ) o
        WHERE o.found IS NOT NULL;
        IF v_several THEN
            -- The same for further numbers, among the first ones alone.
            INSERT IGNORE INTO dialer_import_faults (line, place, fault, skipped)
            SELECT k.line, k.place, ELT(k.found, 'the number is on an earlier line of the file',
                    'the number is in the project already', 'the number is in another project'),
                ELT(k.found, p_in_file, p_in_project, p_elsewhere) = 'skip'
            FROM (
                SELECT f.line, f.place, 1 AS found
                FROM dialer_import_further f
                STRAIGHT_JOIN dialer_import_seen s ON s.number = f.number AND s.is_first
                WHERE p_dry
                UNION ALL
                SELECT f.line, f.place, IF(c.project_id <> p_project, 3, IF(c.import_id = p_import, 1, 2))
                FROM dialer_import_further f
                STRAIGHT_JOIN dialer_clients c FORCE INDEX (dialer_clients_number)
                    ON c.number = f.number AND c.number_place = 1
                UNION ALL
                SELECT f.line, f.place, IF(c.project_id <> p_project, 3, IF(c.import_id = p_import, 1, 2))
                FROM dialer_import_further f
                STRAIGHT_JOIN dialer_case_numbers o FORCE INDEX (dialer_case_numbers_number)
                    ON o.number = f.number AND o.place = 1
                STRAIGHT_JOIN dialer_clients c FORCE INDEX (PRIMARY)
                    ON c.id = o.case_id AND c.inserted_at = o.case_inserted_at AND c.phone_number = o.phone_number
            ) k
            WHERE ELT(k.found, p_in_file, p_in_project, p_elsewhere) <> 'keep'
            ORDER BY k.line, k.found, k.place;
        END IF;
        IF v_several AND p_in_file <> 'keep' THEN
            -- Which lines are inserted decides which later ones are not: one after the other, those that share a number.
            IF NOT p_dry THEN
                DELETE FROM dialer_import_seen;
            END IF;
            FOR one IN (
                WITH numbers AS (
                    SELECT n.line, 1 AS place, n.number FROM dialer_import_numbers n
                    UNION ALL
                    SELECT f.line, f.place, f.number FROM dialer_import_further f
                ), shared AS (
                    SELECT m.number FROM numbers m GROUP BY m.number HAVING count(*) > 1 AND min(m.place) = 1
                )
                SELECT DISTINCT o.line FROM numbers o JOIN shared s ON s.number = o.number ORDER BY o.line
            ) DO
                SELECT min(k.place) INTO v_place
                FROM (
                    SELECT 1 AS place FROM dialer_import_numbers n
                    JOIN dialer_import_seen s ON s.number = n.number
                    WHERE n.line = one.line
                    UNION ALL
                    SELECT f.place FROM dialer_import_further f
                    JOIN dialer_import_seen s ON s.number = f.number AND s.is_first
                    WHERE f.line = one.line
                ) k;
                IF v_place IS NOT NULL THEN
                    REPLACE INTO dialer_import_faults (line, place, fault, skipped)
                    VALUES (one.line, v_place, 'the number is on an earlier line of the file', p_in_file = 'skip');
                ELSEIF NOT EXISTS (SELECT 1 FROM dialer_import_faults f WHERE f.line = one.line) THEN
                    INSERT IGNORE INTO dialer_import_seen (number, is_first)
                    SELECT n.number, true FROM dialer_import_numbers n WHERE n.line = one.line
                    UNION ALL
                    SELECT f.number, false FROM dialer_import_further f WHERE f.line = one.line;
                END IF;
            END FOR;
        END IF;
        UPDATE dialer_import_lines l
        JOIN dialer_import_faults f ON f.line = l.line
        LEFT JOIN dialer_import_further o ON o.line = f.line AND o.place = f.place
        SET l.skipped = f.skipped, l.reason = IF(f.place = 1,
            dialer_refusal('dialer_clients.phone_number', left(l.phone_number, 400), f.fault),
            dialer_refusal('dialer_case_numbers.phone_number', left(o.phone_number, 400), f.fault));
        IF p_dry THEN
            INSERT IGNORE INTO dialer_import_seen (number, is_first)
            SELECT n.number, true FROM dialer_import_numbers n
            WHERE n.line NOT IN (SELECT f.line FROM dialer_import_faults f)
            UNION ALL
            SELECT k.number, false FROM dialer_import_further k
            WHERE k.line NOT IN (SELECT f.line FROM dialer_import_faults f);
        END IF;
    END IF;
    SELECT l.line, l.skipped, l.reason FROM dialer_import_lines l WHERE l.reason IS NOT NULL ORDER BY l.line;
END
