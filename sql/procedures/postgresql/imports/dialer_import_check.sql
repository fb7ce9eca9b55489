-- dialer_import_check(p_project)
-- Look at the lines in dialer_import_lines one by one: what is wrong with a value goes into reason
-- (dialer_import_fault; of further numbers, what dialer_case_numbers_before_write refuses). The first numbers of the
-- others, in their one form, go into dialer_import_numbers with the place of each (MariaDB: dialer_import_places), and
-- their further numbers stay in dialer_import_further, each once. Needs no other line and no case, and locks nothing:
-- whoever imports checks the next lines while those before them are inserted. If countries or prefixes change
-- meanwhile, dialer_attempt_begin sees it.
CREATE OR REPLACE FUNCTION dialer_import_check(p_project varchar)
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    v_country CONSTANT varchar := dialer_country(p_project);
    v_plain CONSTANT bool := p_project ~ '^[A-Za-z0-9_-]+$';
    v_several CONSTANT bool := EXISTS (SELECT FROM dialer_import_further);
BEGIN
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
    INSERT INTO dialer_import_numbers (line, number, region, zones)
    SELECT n.line, n.number, nullif(r.region, ''), nullif(r.zones, '')
    FROM (
        SELECT l.line, CASE WHEN v_country IS NULL OR starts_with(l.phone_number, '+') THEN l.phone_number
            ELSE dialer_number(l.phone_number, v_country) END AS number
        FROM dialer_import_lines l WHERE l.reason IS NULL
        -- Or a number would be found out once for each use of it.
        OFFSET 0
    ) n
    -- As dialer_place, without a call for each.
    LEFT JOIN LATERAL (
        SELECT k.region, k.zones FROM dialer_number_ranges k
        WHERE n.number LIKE '+%' AND k.begins <= substr(n.number, 2)
        ORDER BY k.begins DESC LIMIT 1
    ) r ON true;
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
END
$$
