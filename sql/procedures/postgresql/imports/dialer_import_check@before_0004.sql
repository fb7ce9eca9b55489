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
CREATE OR REPLACE FUNCTION dialer_import_check(
    p_import int8,
    p_project varchar,
    p_in_file varchar,
    p_in_project varchar,
    p_elsewhere varchar,
    p_dry bool
)
RETURNS TABLE (line int8, skipped bool, reason varchar)
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    v_country CONSTANT varchar := dialer_country(p_project);
    v_plain CONSTANT bool := p_project ~ '^[A-Za-z0-9_-]+$';
    -- Mostly there are none.
    v_further bool;
    v_several CONSTANT bool := EXISTS (SELECT FROM dialer_import_further);
    v_policies CONSTANT varchar[] := ARRAY[p_in_file, p_in_project, p_elsewhere];
    v_said CONSTANT varchar[] := ARRAY['the number is on an earlier line of the file', 'the number is in the project already',
        'the number is in another project'];
    v_one record;
    v_number varchar;
    v_lines int8[] := '{}';
    v_places int[] := '{}';
BEGIN
    -- Two imports take turns, or each of them would not see what the other one is about to insert.
    PERFORM FROM dialer_imports i
    WHERE NOT p_dry AND i.ended_at IS NULL AND i.undone_at IS NULL AND (i.project_id = p_project OR p_elsewhere <> 'keep')
    ORDER BY i.id FOR UPDATE;
    v_further := EXISTS (SELECT FROM dialer_case_numbers);
    -- Most lines are plainly good; a call costs more than this. Zones and times of day come again and again.
    UPDATE dialer_import_lines l
    SET reason = dialer_import_fault(l.case_name, p_project, l.phone_number, l.priority, l.utc, l.allowed_start,
        l.allowed_stop, l.call_back, l.call_back_period, l.deferred_time, l.region, l.fields)
    WHERE NOT coalesce(l.phone_number ~ '^[+]?[0-9]+$' AND length(l.phone_number) <= 80
        AND coalesce(l.case_name, '') !~ '[\x01-\x1f\x7f-\x9f]' AND coalesce(length(l.case_name), 0) <= 1000
        AND (coalesce(l.utc, ''), coalesce(l.allowed_start, '0:00'), coalesce(l.allowed_stop, '0:00')) IN (
            SELECT k.utc, k.allowed_start, k.allowed_stop
            FROM (
                SELECT DISTINCT coalesce(d.utc, '') AS utc, coalesce(d.allowed_start, '0:00') AS allowed_start,
                    coalesce(d.allowed_stop, '0:00') AS allowed_stop
                FROM dialer_import_lines d
                -- Or the patterns would be tried before, on each line.
                OFFSET 0
            ) k
            WHERE k.utc ~ '^([+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?)?$'
              AND k.allowed_start ~ '^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$'
              AND k.allowed_stop ~ '^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$')
        -- As jsonb it has blanks, and numbers in full length.
        AND (l.fields IS NULL OR length(l.fields) <= 5000 AND l.fields !~ '[0-9][eE]')
        AND coalesce(l.priority, '1') IN ('1', '2', '3', '4', '5') AND coalesce(l.call_back, '0') IN ('0', '1')
        AND (l.region IS NULL OR l.region ~ '^[A-Z][A-Z](-[A-Z0-9][A-Z0-9]?[A-Z0-9]?)?$')
        AND l.call_back_period IS NULL AND l.deferred_time IS NULL, false)
        OR NOT v_plain;
    IF v_several THEN
        UPDATE dialer_import_lines l
        SET reason = dialer_refusal('dialer_case_numbers.phone_number', f.phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes')
        FROM (
            SELECT DISTINCT ON (o.line) o.line, o.phone_number FROM dialer_import_further o
            WHERE o.phone_number !~ '^[+*#]*[0-9][+*#0-9]*$' OR length(o.phone_number) > 80
            ORDER BY o.line, o.place
        ) f
        WHERE f.line = l.line AND l.reason IS NULL;
    END IF;
    INSERT INTO dialer_import_numbers (line, number)
    SELECT l.line, CASE WHEN v_country IS NULL OR starts_with(l.phone_number, '+') THEN l.phone_number
        ELSE dialer_number(l.phone_number, v_country) END
    FROM dialer_import_lines l WHERE l.reason IS NULL;
    IF v_several THEN
        DELETE FROM dialer_import_further f USING dialer_import_lines l WHERE l.line = f.line AND l.reason IS NOT NULL;
        UPDATE dialer_import_further f
        SET number = CASE WHEN v_country IS NULL OR starts_with(f.phone_number, '+') THEN f.phone_number
            ELSE dialer_number(f.phone_number, v_country) END;
        -- Two forms of one number.
        DELETE FROM dialer_import_further f USING (
            SELECT o.line, o.place, row_number() OVER (PARTITION BY o.line, o.number ORDER BY o.place) AS nth
            FROM (
                SELECT n.line, 1 AS place, n.number FROM dialer_import_numbers n
                UNION ALL
                SELECT k.line, k.place, k.number FROM dialer_import_further k
            ) o
        ) g
        WHERE g.line = f.line AND g.place = f.place AND g.nth > 1;
    END IF;
    IF (p_in_file, p_in_project, p_elsewhere) <> ('keep', 'keep', 'keep') THEN
        UPDATE dialer_import_lines l
        SET skipped = v_policies[d.found] = 'skip',
            reason = dialer_refusal('dialer_clients.phone_number', l.phone_number, v_said[d.found])
        FROM (
            SELECT k.line, CASE
                WHEN p_in_file <> 'keep' AND bool_or(k.place = 'file') THEN 1
                WHEN p_in_project <> 'keep' AND bool_or(k.place = 'project') THEN 2
                WHEN p_elsewhere <> 'keep' AND bool_or(k.place = 'elsewhere') THEN 3
                END AS found
            FROM (
                SELECT n.line, 'file' AS place
                FROM (
                    SELECT m.number, min(m.line) AS line FROM dialer_import_numbers m
                    WHERE NOT v_several
                    GROUP BY m.number HAVING count(*) > 1
                ) d
                JOIN dialer_import_numbers n ON n.number = d.number AND n.line > d.line
                UNION ALL
                SELECT n.line, 'file'
                FROM dialer_import_numbers n
                JOIN dialer_import_seen s ON s.number = n.number
                WHERE p_dry
                UNION ALL
                -- OFFSET 0, here and below: by the index, however many cases the planner expects.
                SELECT n.line, CASE
                    WHEN c.project_id <> p_project THEN 'elsewhere'
                    WHEN c.import_id = p_import THEN 'file'
                    ELSE 'project' END
                FROM dialer_import_numbers n
                CROSS JOIN LATERAL (
                    SELECT k.project_id, k.import_id FROM dialer_clients k WHERE k.number = n.number COLLATE "default" OFFSET 0
                ) c
                UNION ALL
                SELECT n.line, CASE
                    WHEN c.project_id <> p_project THEN 'elsewhere'
                    WHEN c.import_id = p_import THEN 'file'
                    ELSE 'project' END
                FROM dialer_import_numbers n
                CROSS JOIN LATERAL (
                    SELECT k.project_id, k.import_id
                    FROM dialer_case_numbers f
                    JOIN dialer_clients k ON k.id = f.case_id AND k.inserted_at = f.case_inserted_at
                    WHERE f.number = n.number COLLATE "default" AND (f.place > 1 OR f.phone_number = k.phone_number)
                    OFFSET 0
                ) c
                WHERE v_further
            ) k
            GROUP BY k.line
        ) d
        WHERE d.line = l.line AND d.found IS NOT NULL;
        IF v_several THEN
            -- The same for further numbers, among the first ones alone.
            UPDATE dialer_import_lines l
            SET skipped = v_policies[d.found] = 'skip',
                reason = dialer_refusal('dialer_case_numbers.phone_number', d.phone_number, v_said[d.found])
            FROM (
                SELECT DISTINCT ON (k.line) k.line, k.phone_number, k.found
                FROM (
                    SELECT f.line, f.place, f.phone_number, 1 AS found
                    FROM dialer_import_further f
                    JOIN dialer_import_seen s ON s.number = f.number AND s.is_first
                    WHERE p_dry
                    UNION ALL
                    SELECT f.line, f.place, f.phone_number, CASE
                        WHEN c.project_id <> p_project THEN 3
                        WHEN c.import_id = p_import THEN 1
                        ELSE 2 END
                    FROM dialer_import_further f
                    CROSS JOIN LATERAL (
                        SELECT k.project_id, k.import_id FROM dialer_clients k
                        WHERE k.number = f.number COLLATE "default" AND k.number_place = 1
                        OFFSET 0
                    ) c
                    UNION ALL
                    SELECT f.line, f.place, f.phone_number, CASE
                        WHEN c.project_id <> p_project THEN 3
                        WHEN c.import_id = p_import THEN 1
                        ELSE 2 END
                    FROM dialer_import_further f
                    CROSS JOIN LATERAL (
                        SELECT k.project_id, k.import_id
                        FROM dialer_case_numbers o
                        JOIN dialer_clients k ON k.id = o.case_id AND k.inserted_at = o.case_inserted_at
                        WHERE o.number = f.number COLLATE "default" AND o.place = 1 AND o.phone_number = k.phone_number
                        OFFSET 0
                    ) c
                    WHERE v_further
                ) k
                WHERE v_policies[k.found] <> 'keep'
                ORDER BY k.line, k.found, k.place
            ) d
            WHERE d.line = l.line AND l.reason IS NULL;
        END IF;
        IF v_several AND p_in_file <> 'keep' THEN
            -- Which lines are inserted decides which later ones are not: one after the other, those that share a number.
            IF NOT p_dry THEN
                DELETE FROM dialer_import_seen;
            END IF;
            FOR v_one IN
                WITH numbers AS MATERIALIZED (
                    SELECT n.line, 1 AS place, n.number FROM dialer_import_numbers n
                    UNION ALL
                    SELECT f.line, f.place, f.number FROM dialer_import_further f
                ), shared AS (
                    SELECT m.number FROM numbers m GROUP BY m.number HAVING count(*) > 1 AND min(m.place) = 1
                )
                SELECT m.line, l.reason IS NULL AS good, array_agg(m.number ORDER BY m.place) AS numbers,
                    array_agg(m.place ORDER BY m.place) AS places
                FROM numbers m
                JOIN dialer_import_lines l ON l.line = m.line
                WHERE m.line IN (SELECT o.line FROM numbers o JOIN shared s ON s.number = o.number)
                GROUP BY m.line, l.reason
                ORDER BY m.line
            LOOP
                SELECT s.number INTO v_number FROM dialer_import_seen s
                WHERE s.number = ANY (v_one.numbers) AND (s.number = v_one.numbers[1] OR s.is_first)
                ORDER BY array_position(v_one.numbers, s.number) LIMIT 1;
                IF FOUND THEN
                    v_lines := v_lines || v_one.line;
                    v_places := v_places || v_one.places[array_position(v_one.numbers, v_number)];
                ELSIF v_one.good THEN
                    INSERT INTO dialer_import_seen (number, is_first)
                    SELECT m.number, m.nth = 1 FROM unnest(v_one.numbers) WITH ORDINALITY m (number, nth)
                    ON CONFLICT DO NOTHING;
                END IF;
            END LOOP;
            UPDATE dialer_import_lines l
            SET skipped = p_in_file = 'skip', reason = dialer_refusal(
                CASE d.place WHEN 1 THEN 'dialer_clients.phone_number' ELSE 'dialer_case_numbers.phone_number' END,
                coalesce(f.phone_number, l.phone_number), v_said[1])
            FROM unnest(v_lines, v_places) d (line, place)
            LEFT JOIN dialer_import_further f ON f.line = d.line AND f.place = d.place
            WHERE l.line = d.line;
        END IF;
        IF p_dry THEN
            INSERT INTO dialer_import_seen (number, is_first)
            SELECT m.number, m.is_first
            FROM (
                SELECT n.line, n.number, true AS is_first FROM dialer_import_numbers n
                UNION ALL
                SELECT f.line, f.number, false FROM dialer_import_further f
            ) m
            JOIN dialer_import_lines l ON l.line = m.line
            WHERE l.reason IS NULL
            ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    RETURN QUERY
    SELECT l.line, l.skipped, l.reason FROM dialer_import_lines l WHERE l.reason IS NOT NULL ORDER BY l.line;
END
$$
