-- Trigger, BEFORE INSERT ON dialer_clients: old names first, then what a promise means, then the checks.
-- A case inserted as used, or with its promise kept, stays so. A session that brings cases back exactly as they were
-- (from an archive) runs SET dialer.restoring = 'on' (PostgreSQL), SET @dialer_restoring = true (MariaDB); even then
-- checked is set by the dialer alone.
CREATE OR REPLACE FUNCTION dialer_clients_before_insert()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    NEW.call_back := coalesce(NEW.recall, NEW.call_back);
    NEW.call_back_period := coalesce(NEW.recall_period, NEW.call_back_period);
    NEW.recall := NULL;
    NEW.recall_period := NULL;
    NEW.checked := false;
    NEW.number := dialer_number(NEW.phone_number, dialer_country(NEW.project_id));
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
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_insert()
