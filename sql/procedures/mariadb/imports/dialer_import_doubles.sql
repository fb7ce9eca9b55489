-- dialer_import_doubles(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry)
-- Refuse or skip lines whose numbers (dialer_import_numbers, dialer_import_further) are there already: on an earlier
-- line of the file that is inserted, in the project, in another project, as dialer_import_settle says, which calls
-- this.
CREATE OR REPLACE PROCEDURE dialer_import_doubles(
    p_import bigint,
    p_project varchar(400),
    p_in_file varchar(10),
    p_in_project varchar(10),
    p_elsewhere varchar(10),
    p_dry tinyint(1)
)
BEGIN
    DECLARE v_several tinyint(1) DEFAULT EXISTS (SELECT 1 FROM dialer_import_further);
    DECLARE v_place int;
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
END
