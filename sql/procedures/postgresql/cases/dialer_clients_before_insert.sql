-- Trigger, BEFORE INSERT ON dialer_clients: old names first, then what a promise means, then the checks.
-- A case inserted as used, or with its promise kept, stays so. A session that brings cases back exactly as they were
-- (from an archive) runs SET dialer.restoring = 'on' (PostgreSQL), SET @dialer_restoring = true (MariaDB); even then
-- checked is set by the dialer alone. What dialer_import_put inserts has been checked, and has its number.
CREATE OR REPLACE FUNCTION dialer_clients_before_insert()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_place varchar;
BEGIN
    NEW.number := CASE WHEN NEW.phone_number LIKE '+%' THEN NEW.phone_number
        ELSE dialer_number(NEW.phone_number, dialer_country(NEW.project_id)) END;
    v_place := dialer_place(NEW.number);
    NEW.number_region := nullif(split_part(v_place, '|', 1), '');
    NEW.zones := nullif(split_part(v_place, '|', 2), '');
    -- By far the most rows are fresh cases with columns that are plainly right, which this expression finds out; nothing of
    -- what follows concerns them. One pattern for six columns, with line breaks between them, which none of them may
    -- have, costs half of what six cost.
    IF NOT coalesce(NEW.recall IS NULL AND NEW.recall_period IS NULL AND NOT NEW.checked
       AND NEW.deferred_time IS NULL AND NEW.deferred_kind IS NULL AND NEW.created = now() AND NEW.inserted_at = NEW.created
       AND NEW.redials_done = 0 AND NEW.failures = 0 AND NEW.brought_back = 0 AND NEW.number_place = 1
       AND NEW.not_before_at IS NULL AND NEW.last_attempt_id IS NULL AND NEW.tried_at IS NULL
       AND NEW.held_for IS NULL AND NEW.held_until IS NULL AND NEW.call_back_period IS NULL
       AND NEW.id BETWEEN 1 AND 1000000000000000000
       AND NEW.priority IS NOT NULL AND NEW.used IS NOT NULL AND NEW.call_back IS NOT NULL AND NEW.deferred_done IS NOT NULL
       AND concat_ws(E'\n', NEW.phone_number, coalesce(NEW.utc, ''), NEW.allowed_start, NEW.allowed_stop, NEW.project_id,
               NEW.case_name)
            ~ ('^[+]?[0-9]+\n([+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?)?\n'
               '([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\n([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\n'
               '[^\x01-\x1f\x7f-\x9f]*\n[^\x01-\x1f\x7f-\x9f]*$')
       AND length(NEW.phone_number) <= 80 AND length(NEW.case_name) <= 1000 AND length(NEW.project_id) BETWEEN 1 AND 100
       AND (NEW.region IS NULL OR NEW.region ~ '^[A-Z][A-Z](-[A-Z0-9][A-Z0-9]?[A-Z0-9]?)?$')
       AND (NEW.fields IS NULL OR jsonb_typeof(NEW.fields) = 'object' AND length(NEW.fields::varchar) <= 10000), false)
    THEN
        NEW.call_back := coalesce(NEW.recall, NEW.call_back);
        NEW.call_back_period := coalesce(NEW.recall_period, NEW.call_back_period);
        NEW.recall := NULL;
        NEW.recall_period := NULL;
        NEW.checked := false;
        -- This identifies the case, whatever happens to created. Its default, now, shows that nobody has written it.
        NEW.inserted_at := coalesce(nullif(NEW.inserted_at, now()), NEW.created);
        IF NOT coalesce(nullif(current_setting('dialer.restoring', true), ''), 'off')::bool THEN
            IF NOT (NEW.used OR NEW.deferred_done) THEN
                NEW.deferred_kind := NULL;
            END IF;
            -- These count what the dialer did with a case, so only the dialer writes them.
            NEW.redials_done := 0;
            NEW.failures := 0;
            NEW.brought_back := 0;
            NEW.number_place := 1;
            NEW.not_before_at := NULL;
            NEW.last_attempt_id := NULL;
            NEW.tried_at := NULL;
            NEW.held_for := NULL;
            NEW.held_until := NULL;
        ELSE
            -- It was away for a moment.
            NEW.checked := EXISTS (
                SELECT FROM dialer_claims l WHERE l.case_id = NEW.id AND l.case_inserted_at = NEW.inserted_at);
        END IF;
        NEW.deferred_kind := CASE WHEN NEW.deferred_time IS NOT NULL THEN coalesce(NEW.deferred_kind, 'scheduled') END;
        PERFORM dialer_clients_check(NEW.id, NEW.case_name, NEW.project_id, NEW.phone_number, NEW.priority, NEW.utc,
            NEW.used, NEW.call_back, NEW.allowed_start, NEW.allowed_stop, NEW.call_back_period, NEW.deferred_time,
            NEW.deferred_done, NEW.created, NEW.inserted_at, NEW.region, NEW.fields);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
FOR EACH ROW
WHEN (NEW.import_id IS NULL OR NEW.number = '' OR NEW.import_id::varchar <> coalesce(current_setting('dialer.importing', true), ''))
EXECUTE FUNCTION dialer_clients_before_insert()
