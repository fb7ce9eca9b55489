-- Trigger, BEFORE INSERT OR UPDATE ON dialer_retries: the checks.
CREATE OR REPLACE TRIGGER dialer_retries_before_write BEFORE INSERT OR UPDATE ON dialer_retries
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_retries');
    END IF;
    CALL dialer_scope_check('dialer_retries', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.outcome IS NULL AND NEW.disposition IS NULL THEN
        CALL dialer_refuse('dialer_retries.outcome', NULL, 'write an outcome of dialer_outcomes, or a disposition');
    END IF;
    IF NEW.outcome IS NOT NULL AND NEW.disposition IS NOT NULL THEN
        CALL dialer_refuse('dialer_retries.disposition', NEW.disposition,
            'write one row for the outcome and one for the disposition; here one of the two is NULL');
    END IF;
    IF NEW.outcome IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM dialer_outcomes o WHERE o.outcome = NEW.outcome AND o.uses_attempt) THEN
        CALL dialer_refuse('dialer_retries.outcome', NEW.outcome, concat('write an outcome of dialer_outcomes that uses up an',
            ' attempt, like BUSY; after FAILED, CANCELLED and TECHNICAL a case goes back by itself'));
    END IF;
    IF NOT dialer_printable(NEW.disposition) OR char_length(NEW.disposition) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_retries.disposition', NEW.disposition,
            'write a code of your agents, up to 100 characters without control characters, or NULL');
    END IF;
    IF NOT coalesce(NEW.period_minutes BETWEEN 1 AND 999999, false) THEN
        CALL dialer_refuse('dialer_retries.period_minutes', NEW.period_minutes, 'write minutes, 1 to 999999');
    END IF;
    IF NEW.most < 1 THEN
        CALL dialer_refuse('dialer_retries.most', NEW.most, 'write calls, 1 or more, or NULL (no cap)');
    END IF;
    IF NOT coalesce(NEW.other_part_of_day IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_retries.other_part_of_day', NEW.other_part_of_day, 'write true or false');
    END IF;
    IF NOT dialer_printable(NEW.preset) OR char_length(NEW.preset) NOT BETWEEN 1 AND 40 THEN
        CALL dialer_refuse('dialer_retries.preset', NEW.preset, 'write the name of a preset, or NULL');
    END IF;
END
