-- Trigger, BEFORE UPDATE ON dialer_clients (not of checked alone): what somebody's UPDATE means.
-- The dialer's own writes change last_attempt_id, too, and pass unchecked; they change no column that is checked here,
-- so a call can end whatever its row holds.
--   deferred_time written: a scheduled callback, promised anew · written NULL: the promise is withdrawn
--   used set: the case is withdrawn, and pending redials and callbacks go with it
--   used cleared: the case is brought back, its redial list starts anew, with the first of its numbers
--   inserted_at, deferred_kind: stay as they are
--   number: at number_place 1 always that of phone_number, by the project's country; at another one as written, and
--   dialer_attempt_begin compares it with dialer_case_numbers, which no trigger of this table may read; number_region,
--   zones: where it is
--   what rules go by (number, project, zone, hours, region, promise) written: they are asked afresh (held_for)
-- Only changed columns are checked, so a row that was bad before can still be withdrawn.
CREATE OR REPLACE FUNCTION dialer_clients_before_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_checked_anew bool;
    v_place varchar;
BEGIN
    NEW.inserted_at := OLD.inserted_at;
    IF OLD.used AND NOT NEW.used AND NEW.last_attempt_id IS NOT DISTINCT FROM OLD.last_attempt_id
       AND (NEW.deferred_time IS NULL OR NEW.deferred_time = OLD.deferred_time) THEN
        NEW.number_place := 1;
    END IF;
    IF NEW.number_place = 1 AND (NEW.phone_number, NEW.project_id, NEW.number, NEW.number_place)
        IS DISTINCT FROM (OLD.phone_number, OLD.project_id, OLD.number, OLD.number_place) THEN
        NEW.number := dialer_number(NEW.phone_number, dialer_country(NEW.project_id));
    END IF;
    IF (NEW.number, NEW.number_region, NEW.zones) IS DISTINCT FROM (OLD.number, OLD.number_region, OLD.zones) THEN
        v_place := dialer_place(NEW.number);
        NEW.number_region := nullif(split_part(v_place, '|', 1), '');
        NEW.zones := nullif(split_part(v_place, '|', 2), '');
    END IF;
    IF OLD.held_for IS NOT NULL
       AND (NEW.number, NEW.project_id, NEW.utc, NEW.allowed_start, NEW.allowed_stop, NEW.region, NEW.number_region,
            NEW.zones, NEW.deferred_time, NEW.used)
        IS DISTINCT FROM (OLD.number, OLD.project_id, OLD.utc, OLD.allowed_start, OLD.allowed_stop, OLD.region,
            OLD.number_region, OLD.zones, OLD.deferred_time, OLD.used)
    THEN
        NEW.held_for := NULL;
        NEW.held_until := NULL;
    END IF;
    NEW.call_back := coalesce(NEW.recall, NEW.call_back);
    NEW.call_back_period := coalesce(NEW.recall_period, NEW.call_back_period);
    NEW.recall := NULL;
    NEW.recall_period := NULL;
    v_checked_anew := (NEW.id, NEW.case_name, NEW.project_id, NEW.phone_number, NEW.utc, NEW.allowed_start,
            NEW.allowed_stop, NEW.call_back_period, NEW.created, NEW.region, NEW.fields)
        IS DISTINCT FROM (OLD.id, OLD.case_name, OLD.project_id, OLD.phone_number, OLD.utc, OLD.allowed_start,
            OLD.allowed_stop, OLD.call_back_period, OLD.created, OLD.region, OLD.fields);
    IF NEW.last_attempt_id IS DISTINCT FROM OLD.last_attempt_id AND NOT v_checked_anew
       AND (NEW.priority, NEW.call_back) IS NOT DISTINCT FROM (OLD.priority, OLD.call_back) THEN
        RETURN NEW;
    END IF;
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
    ELSE
        NEW.deferred_kind := OLD.deferred_kind;
    END IF;
    IF OLD.used AND NOT NEW.used THEN
        NEW.redials_done := 0;
        NEW.failures := 0;
        NEW.not_before_at := NULL;
        NEW.brought_back := OLD.brought_back + 1;
    END IF;
    IF v_checked_anew OR NEW.priority IS NULL OR NEW.call_back IS NULL OR NEW.used IS NULL OR NEW.deferred_done IS NULL
       OR OLD.used AND NOT NEW.used
       OR NEW.deferred_time IS DISTINCT FROM OLD.deferred_time AND NEW.deferred_time IS NOT NULL THEN
        PERFORM dialer_clients_check(NEW.id, NEW.case_name, NEW.project_id, NEW.phone_number, NEW.priority, NEW.utc,
            NEW.used, NEW.call_back, NEW.allowed_start, NEW.allowed_stop, NEW.call_back_period, NEW.deferred_time,
            NEW.deferred_done, NEW.created, NEW.inserted_at, NEW.region, NEW.fields);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_clients_before_update
-- Not OF checked: a claim changes only that column, and should cost nothing here.
BEFORE UPDATE OF case_name, project_id, phone_number, priority, utc, used, call_back, allowed_start, allowed_stop,
    call_back_period, deferred_time, deferred_done, created, id, deferred_kind, inserted_at, recall, recall_period, number, number_place, region, number_region,
    zones, fields
ON dialer_clients
FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_update()
