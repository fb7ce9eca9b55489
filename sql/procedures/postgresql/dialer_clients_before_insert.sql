-- Trigger, BEFORE INSERT ON dialer_clients: old names first, then what a promise means, then the checks.
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
    IF NEW.deferred_time IS NOT NULL THEN
        NEW.deferred_kind := 'scheduled';
        NEW.deferred_done := false;
        NEW.used := false;
    ELSE
        NEW.deferred_kind := NULL;
    END IF;
    -- Only the dialer takes a case in hand or counts what it did with it.
    NEW.checked := false;
    NEW.redials_done := 0;
    NEW.failures := 0;
    NEW.brought_back := 0;
    NEW.not_before_at := NULL;
    NEW.last_attempt_id := NULL;
    -- Beyond, dates can neither be reckoned with nor read by every client.
    IF NEW.deferred_time NOT BETWEEN '1971-01-01' AND '9999-01-01' THEN
        PERFORM dialer_refuse('dialer_clients.deferred_time', NEW.deferred_time::varchar,
            'write an instant before the year 9999, or NULL');
    END IF;
    PERFORM dialer_clients_check(NEW.case_name, NEW.project_id, NEW.phone_number, NEW.utc,
        NEW.allowed_start, NEW.allowed_stop, NEW.call_back_period);
    RETURN NEW;
END
$$
