-- Trigger, BEFORE INSERT OR UPDATE ON dialer_pauses: the checks.
CREATE OR REPLACE TRIGGER dialer_pauses_before_write BEFORE INSERT OR UPDATE ON dialer_pauses
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_pauses');
    END IF;
    CALL dialer_scope_check('dialer_pauses', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.outcome IS NOT NULL AND NOT EXISTS (SELECT 1 FROM dialer_outcomes o WHERE o.outcome = NEW.outcome) THEN
        CALL dialer_refuse('dialer_pauses.outcome', NEW.outcome, 'write an outcome of dialer_outcomes, like ANSWERED');
    END IF;
    IF NOT dialer_printable(NEW.disposition) OR char_length(NEW.disposition) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_pauses.disposition', NEW.disposition, 'write the agent''s code, up to 100 characters');
    END IF;
    IF (NEW.outcome IS NULL) = (NEW.disposition IS NULL) THEN
        CALL dialer_refuse('dialer_pauses.outcome', NEW.outcome, 'write either outcome or disposition');
    END IF;
    IF NOT coalesce(NEW.period_minutes BETWEEN 1 AND 5256000, false) THEN
        CALL dialer_refuse('dialer_pauses.period_minutes', NEW.period_minutes, 'write minutes, 1 to 5256000 (ten years)');
    END IF;
    IF NOT coalesce(NEW.callbacks IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_pauses.callbacks', NEW.callbacks, 'write true or false, or leave the column out');
    END IF;
END
