-- Trigger, BEFORE INSERT OR UPDATE ON dialer_pauses: the checks.
CREATE OR REPLACE FUNCTION dialer_pauses_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_scope_check('dialer_pauses', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.outcome IS NOT NULL AND NOT EXISTS (SELECT FROM dialer_outcomes o WHERE o.outcome = NEW.outcome) THEN
        PERFORM dialer_refuse('dialer_pauses.outcome', NEW.outcome, 'write an outcome of dialer_outcomes, like ANSWERED');
    END IF;
    IF NOT dialer_printable(NEW.disposition) OR length(NEW.disposition) NOT BETWEEN 1 AND 100 THEN
        PERFORM dialer_refuse('dialer_pauses.disposition', NEW.disposition, 'write the agent''s code, up to 100 characters');
    END IF;
    IF (NEW.outcome IS NULL) = (NEW.disposition IS NULL) THEN
        PERFORM dialer_refuse('dialer_pauses.outcome', NEW.outcome, 'write either outcome or disposition');
    END IF;
    IF NOT coalesce(NEW.period_minutes BETWEEN 1 AND 5256000, false) THEN
        PERFORM dialer_refuse('dialer_pauses.period_minutes', NEW.period_minutes::varchar,
            'write minutes, 1 to 5256000 (ten years)');
    END IF;
    IF NEW.callbacks IS NULL THEN
        PERFORM dialer_refuse('dialer_pauses.callbacks', NULL, 'write true or false, or leave the column out');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_pauses_before_write BEFORE INSERT OR UPDATE ON dialer_pauses
FOR EACH ROW EXECUTE FUNCTION dialer_pauses_before_write()
