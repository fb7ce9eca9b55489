-- Trigger, BEFORE INSERT OR UPDATE ON dialer_retries: the checks.
CREATE OR REPLACE FUNCTION dialer_retries_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_scope_check('dialer_retries', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.outcome IS NULL AND NEW.disposition IS NULL THEN
        PERFORM dialer_refuse('dialer_retries.outcome', NULL, 'write an outcome of dialer_outcomes, or a disposition');
    END IF;
    IF NEW.outcome IS NOT NULL AND NEW.disposition IS NOT NULL THEN
        PERFORM dialer_refuse('dialer_retries.disposition', NEW.disposition,
            'write one row for the outcome and one for the disposition; here one of the two is NULL');
    END IF;
    IF NEW.outcome IS NOT NULL
       AND NOT EXISTS (SELECT FROM dialer_outcomes o WHERE o.outcome = NEW.outcome AND o.uses_attempt) THEN
        PERFORM dialer_refuse('dialer_retries.outcome', NEW.outcome, 'write an outcome of dialer_outcomes that uses up an'
            ' attempt, like BUSY; after FAILED, CANCELLED and TECHNICAL a case goes back by itself');
    END IF;
    IF NOT dialer_printable(NEW.disposition) OR length(NEW.disposition) NOT BETWEEN 1 AND 100 THEN
        PERFORM dialer_refuse('dialer_retries.disposition', NEW.disposition,
            'write a code of your agents, up to 100 characters without control characters, or NULL');
    END IF;
    IF NOT coalesce(NEW.period_minutes BETWEEN 1 AND 999999, false) THEN
        PERFORM dialer_refuse('dialer_retries.period_minutes', NEW.period_minutes::varchar, 'write minutes, 1 to 999999');
    END IF;
    IF NEW.most < 1 THEN
        PERFORM dialer_refuse('dialer_retries.most', NEW.most::varchar, 'write calls, 1 or more, or NULL (no cap)');
    END IF;
    IF NEW.other_part_of_day IS NULL THEN
        PERFORM dialer_refuse('dialer_retries.other_part_of_day', NULL, 'write true or false');
    END IF;
    IF NOT dialer_printable(NEW.preset) OR length(NEW.preset) NOT BETWEEN 1 AND 40 THEN
        PERFORM dialer_refuse('dialer_retries.preset', NEW.preset, 'write the name of a preset, or NULL');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_retries_before_write BEFORE INSERT OR UPDATE ON dialer_retries
FOR EACH ROW EXECUTE FUNCTION dialer_retries_before_write()
