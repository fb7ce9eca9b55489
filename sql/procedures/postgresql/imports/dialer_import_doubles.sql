-- dialer_import_doubles(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry)
-- Refuse or skip lines whose numbers (dialer_import_numbers, dialer_import_further) are there already: on an earlier
-- line of the file that is inserted, in the project, in another project, as dialer_import_settle says, which calls
-- this.
CREATE OR REPLACE FUNCTION dialer_import_doubles(
    p_import int8,
    p_project varchar,
    p_in_file varchar,
    p_in_project varchar,
    p_elsewhere varchar,
    p_dry bool
)
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    -- Mostly there are none.
    v_further CONSTANT bool := EXISTS (SELECT FROM dialer_case_numbers);
    v_several CONSTANT bool := EXISTS (SELECT FROM dialer_import_further);
    v_policies CONSTANT varchar[] := ARRAY[p_in_file, p_in_project, p_elsewhere];
    v_said CONSTANT varchar[] := ARRAY['the number is on an earlier line of the file', 'the number is in the project already',
        'the number is in another project'];
    v_one record;
    v_number varchar;
    v_lines int8[] := '{}';
    v_places int[] := '{}';
BEGIN
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
END
$$
