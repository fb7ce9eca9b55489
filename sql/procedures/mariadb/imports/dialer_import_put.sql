-- dialer_import_put(p_import, p_from, p_to, p_refused, p_last) -> how many cases
-- Insert the lines in dialer_import_lines that dialer_import_settle has let through, in their order, and note that the
-- file is settled from after line p_from to p_to, so that each line is inserted once, whatever dies. p_refused: lines
-- of these that were refused before they came here. p_last: that was all. NULL: the import has moved on from p_from
-- without us, or is over; nothing is written. Lines that were checked are not checked again by the trigger, unless a
-- trigger of somebody else's may have changed them. Further numbers go into dialer_case_numbers. Locks: the import.
CREATE OR REPLACE PROCEDURE dialer_import_put(
    p_import bigint,
    p_from bigint,
    p_to bigint,
    p_refused bigint,
    p_last tinyint(1)
)
BEGIN
    DECLARE v_project varchar(400);
    DECLARE v_first bigint;
    DECLARE v_put bigint;
    DECLARE v_refused bigint;
    DECLARE v_skipped bigint;
    DECLARE v_trusted tinyint(1);
    DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN
        SET @dialer_importing = NULL, @dialer_importing_numbers = NULL;
        RESIGNAL;
    END;
    SELECT i.project_id INTO v_project FROM dialer_imports i
    WHERE i.id = p_import AND i.done_to = p_from AND i.ended_at IS NULL AND i.undone_at IS NULL FOR UPDATE;
    IF v_project IS NULL THEN
        SELECT NULL AS put;
    ELSE
        SET @dialer_importing = IF(EXISTS (
            SELECT 1 FROM information_schema.TRIGGERS t
            WHERE t.EVENT_OBJECT_SCHEMA = database() AND t.EVENT_OBJECT_TABLE = 'dialer_clients'
              AND t.ACTION_TIMING = 'BEFORE' AND t.EVENT_MANIPULATION = 'INSERT'
              AND t.TRIGGER_NAME <> 'dialer_clients_before_insert'), NULL, p_import);
        SET v_trusted = @dialer_importing IS NOT NULL;
        INSERT INTO dialer_clients (case_name, project_id, phone_number, priority, utc, allowed_start, allowed_stop, call_back,
            call_back_period, deferred_time, deferred_kind, region, fields, import_id, number,
            number_region, zones)
        SELECT coalesce(l.case_name, ''), v_project, l.phone_number, CAST(coalesce(l.priority, '1') AS signed), l.utc,
            coalesce(l.allowed_start, '00:00:00'), coalesce(l.allowed_stop, '00:00:00'), coalesce(l.call_back, '0') = '1',
            l.call_back_period, CAST(l.deferred_time AS datetime),
            IF(l.deferred_time IS NULL, NULL, 'scheduled'), l.region, l.fields, p_import,
            n.number, nullif(r.region, ''), nullif(r.zones, '')
        FROM dialer_import_lines l
        STRAIGHT_JOIN dialer_import_numbers n ON n.line = l.line
        LEFT JOIN dialer_import_places p ON p.line = l.line
        LEFT JOIN dialer_number_ranges r ON r.begins = p.begins
        WHERE l.reason IS NULL
        ORDER BY l.line;
        SET v_put = row_count(), v_first = IF(v_put > 0, last_insert_id(), NULL), @dialer_importing = NULL;
        IF EXISTS (SELECT 1 FROM dialer_import_further) THEN
            SET @dialer_importing_numbers = IF(v_trusted AND NOT EXISTS (
                SELECT 1 FROM information_schema.TRIGGERS t
                WHERE t.EVENT_OBJECT_SCHEMA = database() AND t.EVENT_OBJECT_TABLE = 'dialer_case_numbers'
                  AND t.ACTION_TIMING = 'BEFORE' AND t.EVENT_MANIPULATION = 'INSERT'
                  AND t.TRIGGER_NAME <> 'dialer_case_numbers_before_insert'), true, NULL);
            -- Lines and their cases in the same order: ids of one statement rise, and none of its rows can be left out.
            INSERT INTO dialer_case_numbers (case_id, place, phone_number, number, case_inserted_at)
            SELECT c.id, f.place, f.phone_number, f.number, c.inserted_at
            FROM (
                SELECT row_number() OVER (ORDER BY l.line) AS nth, l.line FROM dialer_import_lines l WHERE l.reason IS NULL
            ) l
            JOIN (
                SELECT row_number() OVER (ORDER BY k.id) AS nth, k.id, k.inserted_at FROM dialer_clients k
                WHERE k.id >= v_first AND k.import_id = p_import
            ) c ON c.nth = l.nth
            JOIN (
                SELECT o.line, 1 + row_number() OVER (PARTITION BY o.line ORDER BY o.place) AS place, o.phone_number, o.number
                FROM dialer_import_further o
            ) f ON f.line = l.line;
            IF @dialer_importing_numbers THEN
                -- As dialer_case_numbers_after_write does.
                SET @dialer_importing_numbers = NULL;
                INSERT INTO dialer_rule_changes (number)
                SELECT DISTINCT n.number FROM dialer_import_further f
                JOIN dialer_import_numbers n ON n.line = f.line
                JOIN dialer_import_lines l ON l.line = f.line
                WHERE l.reason IS NULL;
                CALL dialer_wake('');
            END IF;
        END IF;
        SELECT coalesce(sum(NOT l.skipped), 0), coalesce(sum(l.skipped), 0) INTO v_refused, v_skipped
        FROM dialer_import_lines l WHERE l.reason IS NOT NULL;
        UPDATE dialer_imports i
        SET i.done_to = p_to,
            i.inserted = i.inserted + v_put,
            i.refused = i.refused + v_refused + p_refused,
            i.skipped = i.skipped + v_skipped,
            i.first_case_id = coalesce(least(i.first_case_id, v_first), i.first_case_id, v_first),
            -- Others may have inserted meanwhile; theirs say so.
            i.last_case_id = IF(v_put > 0, (SELECT max(c.id) FROM dialer_clients c), i.last_case_id),
            i.moved_at = now(6),
            i.ended_at = IF(p_last, now(6), NULL)
        WHERE i.id = p_import;
        SELECT v_put AS put;
    END IF;
END
