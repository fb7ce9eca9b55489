-- dialer_import_check(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry) -> line, skipped, reason
-- The lines in dialer_import_lines that are not to be inserted, in order, and why; dialer_import_put inserts the others,
-- whose numbers are in dialer_import_numbers then. Bad values first (dialer_import_fault), then numbers, in their one form, that are there already: on an earlier line
-- of the file, in the project, in another project (also where a case is on another of its numbers). Each of the three
-- is told to 'keep' such a line, to 'skip' or to 'refuse' it. p_import: its cases are lines of the same file. p_dry:
-- the numbers are noted in dialer_import_seen instead.
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
    v_further CONSTANT bool := EXISTS (SELECT FROM dialer_case_numbers);
BEGIN
    -- Two imports take turns, or each of them would not see what the other one is about to insert.
    PERFORM FROM dialer_imports i
    WHERE NOT p_dry AND i.ended_at IS NULL AND i.undone_at IS NULL AND (i.project_id = p_project OR p_elsewhere <> 'keep')
    ORDER BY i.id FOR UPDATE;
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
    INSERT INTO dialer_import_numbers (line, number)
    SELECT l.line, CASE WHEN v_country IS NULL OR starts_with(l.phone_number, '+') THEN l.phone_number
        ELSE dialer_number(l.phone_number, v_country) END
    FROM dialer_import_lines l WHERE l.reason IS NULL;
    IF (p_in_file, p_in_project, p_elsewhere) <> ('keep', 'keep', 'keep') THEN
        UPDATE dialer_import_lines l
        SET skipped = d.policy = 'skip', reason = dialer_refusal('dialer_clients.phone_number', l.phone_number, d.said)
        FROM (
            SELECT o.line, CASE o.found WHEN 1 THEN p_in_file WHEN 2 THEN p_in_project ELSE p_elsewhere END AS policy,
                CASE o.found
                    WHEN 1 THEN 'the number is on an earlier line of the file'
                    WHEN 2 THEN 'the number is in the project already'
                    ELSE 'the number is in another project'
                END AS said
            FROM (
                SELECT k.line, CASE
                    WHEN p_in_file <> 'keep' AND bool_or(k.place = 'file') THEN 1
                    WHEN p_in_project <> 'keep' AND bool_or(k.place = 'project') THEN 2
                    WHEN p_elsewhere <> 'keep' AND bool_or(k.place = 'elsewhere') THEN 3
                    END AS found
                FROM (
                    SELECT n.line, 'file' AS place
                    FROM (
                        SELECT m.number, min(m.line) AS line FROM dialer_import_numbers m GROUP BY m.number HAVING count(*) > 1
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
                        WHERE f.number = n.number COLLATE "default" AND f.place = 1 AND f.phone_number = k.phone_number
                        OFFSET 0
                    ) c
                    WHERE v_further
                ) k
                GROUP BY k.line
            ) o
            WHERE o.found IS NOT NULL
        ) d
        WHERE d.line = l.line;
        IF p_dry THEN
            INSERT INTO dialer_import_seen (number, line)
            SELECT n.number, n.line FROM dialer_import_numbers n
            JOIN dialer_import_lines l ON l.line = n.line
            WHERE l.reason IS NULL
            ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    RETURN QUERY
    SELECT l.line, l.skipped, l.reason FROM dialer_import_lines l WHERE l.reason IS NOT NULL ORDER BY l.line;
END
$$
