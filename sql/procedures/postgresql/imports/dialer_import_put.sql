-- dialer_import_put(p_import, p_from, p_to, p_refused, p_last) -> how many cases
-- Insert the lines in dialer_import_lines that dialer_import_settle has let through, in their order, and note that the
-- file is settled from after line p_from to p_to, so that each line is inserted once, whatever dies. p_refused: lines
-- of these that were refused before they came here. p_last: that was all. NULL: the import has moved on from p_from
-- without us, or is over; nothing is written. Lines that were checked are not checked again by the trigger, unless a
-- trigger of somebody else's may have changed them. Further numbers go into dialer_case_numbers. Locks: the import.
CREATE OR REPLACE FUNCTION dialer_import_put(p_import int8, p_from int8, p_to int8, p_refused int8, p_last bool)
RETURNS int8
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    v_import dialer_imports;
    v_put record;
    v_left record;
    v_several CONSTANT bool := EXISTS (SELECT FROM dialer_import_further);
    v_trusted bool;
    v_ids CONSTANT regclass := pg_get_serial_sequence('dialer_clients', 'id');
BEGIN
    SELECT * INTO v_import FROM dialer_imports i
    WHERE i.id = p_import AND i.done_to = p_from AND i.ended_at IS NULL AND i.undone_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('dialer.importing', CASE
        WHEN EXISTS (
            SELECT FROM pg_trigger t
            -- BEFORE INSERT, of each row.
            WHERE t.tgrelid = 'dialer_clients'::regclass AND t.tgtype & 7 = 7 AND t.tgenabled <> 'D'
              AND t.tgname <> 'dialer_clients_before_insert') THEN ''
        ELSE p_import::varchar
    END, true);
    v_trusted := current_setting('dialer.importing') <> '';
    IF v_several THEN
        -- Ids that are known before: a trigger of somebody else's may leave a row out, and nobody is to get the numbers of
        -- another.
        UPDATE dialer_import_numbers n SET case_id = k.id
        FROM (
            SELECT o.line, nextval(v_ids) AS id
            FROM (SELECT l.line FROM dialer_import_lines l WHERE l.reason IS NULL ORDER BY l.line OFFSET 0) o
        ) k
        WHERE k.line = n.line;
    END IF;
    WITH put AS (
        INSERT INTO dialer_clients (id, case_name, project_id, phone_number, priority, utc, allowed_start, allowed_stop,
            call_back, call_back_period, deferred_time, deferred_kind, region, fields, import_id, number,
            number_region, zones)
        SELECT coalesce(n.case_id, nextval(v_ids)), coalesce(l.case_name, ''), v_import.project_id, l.phone_number,
            coalesce(l.priority, '1')::int8, l.utc,
            coalesce(l.allowed_start, '00:00:00'), coalesce(l.allowed_stop, '00:00:00'), coalesce(l.call_back, '0') = '1',
            l.call_back_period, (l.deferred_time || 'Z')::timestamptz,
            CASE WHEN l.deferred_time IS NOT NULL THEN 'scheduled' END, l.region, l.fields::jsonb, p_import,
            n.number, n.region, n.zones
        FROM dialer_import_lines l
        JOIN dialer_import_numbers n ON n.line = l.line
        WHERE l.reason IS NULL
        ORDER BY l.line
        RETURNING id
    )
    SELECT count(*) AS n, min(id) AS first, max(id) AS last INTO v_put FROM put;
    PERFORM set_config('dialer.importing', '', true);
    IF v_several THEN
        PERFORM set_config('dialer.importing_numbers', CASE
            WHEN v_trusted AND NOT EXISTS (
                SELECT FROM pg_trigger t
                WHERE t.tgrelid = 'dialer_case_numbers'::regclass AND t.tgtype & 7 = 7 AND t.tgenabled <> 'D'
                  AND t.tgname <> 'dialer_case_numbers_before_write') THEN 'on'
            ELSE ''
        END, true);
        INSERT INTO dialer_case_numbers (case_id, place, phone_number, number, case_inserted_at)
        SELECT c.id, 1 + row_number() OVER (PARTITION BY f.line ORDER BY f.place), f.phone_number, f.number, c.inserted_at
        FROM dialer_import_further f
        JOIN dialer_import_numbers n ON n.line = f.line
        JOIN dialer_clients c ON c.id = n.case_id;
        PERFORM set_config('dialer.importing_numbers', '', true);
    END IF;
    SELECT count(*) FILTER (WHERE NOT l.skipped) AS refused, count(*) FILTER (WHERE l.skipped) AS skipped INTO v_left
    FROM dialer_import_lines l WHERE l.reason IS NOT NULL;
    UPDATE dialer_imports i
    SET done_to = p_to,
        inserted = i.inserted + v_put.n,
        refused = i.refused + v_left.refused + p_refused,
        skipped = i.skipped + v_left.skipped,
        first_case_id = least(i.first_case_id, v_put.first),
        last_case_id = greatest(i.last_case_id, v_put.last),
        moved_at = now(),
        ended_at = CASE WHEN p_last THEN now() END
    WHERE i.id = p_import;
    RETURN v_put.n;
END
$$
