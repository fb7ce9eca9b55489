-- Trigger, BEFORE UPDATE ON dialer_clients (not of checked alone): what somebody's UPDATE means.
-- The dialer's own writes are known by last_attempt_id changing with them and pass as they are.
--   deferred_time written: a scheduled callback, promised anew · written NULL: the promise is withdrawn
--   used set: the case is withdrawn, and what is pending goes with it
--   used cleared: the case is brought back, its redial list starts anew
CREATE OR REPLACE FUNCTION dialer_clients_before_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NEW.last_attempt_id IS DISTINCT FROM OLD.last_attempt_id THEN
        RETURN NEW;
    END IF;
    NEW.call_back := coalesce(NEW.recall, NEW.call_back);
    NEW.call_back_period := coalesce(NEW.recall_period, NEW.call_back_period);
    NEW.recall := NULL;
    NEW.recall_period := NULL;
    IF NEW.deferred_time IS DISTINCT FROM OLD.deferred_time THEN
        NEW.deferred_done := false;
        IF NEW.deferred_time IS NULL THEN
            NEW.deferred_kind := NULL;
        ELSE
            NEW.deferred_kind := 'scheduled';
            NEW.used := false;
            NEW.not_before_at := NULL;
            NEW.redials_done := 0;
        END IF;
    ELSIF NEW.used AND NOT OLD.used THEN
        NEW.deferred_time := NULL;
        NEW.deferred_kind := NULL;
        NEW.deferred_done := false;
        NEW.not_before_at := NULL;
    END IF;
    IF OLD.used AND NOT NEW.used THEN
        NEW.redials_done := 0;
        NEW.failures := 0;
        NEW.not_before_at := NULL;
        NEW.brought_back := OLD.brought_back + 1;
    END IF;
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
