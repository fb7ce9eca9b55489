-- Trigger, BEFORE INSERT OR UPDATE ON dialer_limits: the checks, and when the row was changed.
CREATE OR REPLACE TRIGGER dialer_limits_before_write BEFORE INSERT OR UPDATE ON dialer_limits
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_limits');
    END IF;
    CALL dialer_scope_check('dialer_limits', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(NEW.keyed_by IN ('number', 'case'), false) THEN
        CALL dialer_refuse('dialer_limits.keyed_by', NEW.keyed_by, 'write number or case');
    END IF;
    IF NOT coalesce(NEW.counts IN ('attempts', 'connected', 'conversations'), false) THEN
        CALL dialer_refuse('dialer_limits.counts', NEW.counts, 'write attempts, connected or conversations');
    END IF;
    IF NOT coalesce(NEW.most BETWEEN 1 AND 10000, false) THEN
        CALL dialer_refuse('dialer_limits.most', NEW.most,
            'write how many are allowed, 1 to 10000 (numbers that nobody may call belong into dialer_dnc)');
    END IF;
    IF NEW.period_minutes NOT BETWEEN 1 AND 5256000 THEN
        CALL dialer_refuse('dialer_limits.period_minutes', NEW.period_minutes,
            'write minutes, 1 to 5256000 (ten years), or NULL');
    END IF;
    IF NEW.local_period NOT IN ('day', 'week', 'month') THEN
        CALL dialer_refuse('dialer_limits.local_period', NEW.local_period, 'write day, week, month or NULL');
    END IF;
    IF NEW.local_period IS NOT NULL AND NEW.period_minutes IS NOT NULL THEN
        CALL dialer_refuse('dialer_limits.local_period', NEW.local_period,
            'write either local_period or period_minutes; neither: over the whole campaign');
    END IF;
    IF NOT coalesce(NEW.callbacks IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_limits.callbacks', NEW.callbacks, 'write true or false, or leave the column out');
    END IF;
    IF NEW.added_at = OLD.added_at AND NOT (NEW.project_id <=> OLD.project_id AND NEW.client <=> OLD.client AND
        NEW.region <=> OLD.region AND NEW.purpose <=> OLD.purpose AND NEW.keyed_by <=> OLD.keyed_by AND
        NEW.counts <=> OLD.counts AND NEW.most <=> OLD.most AND NEW.period_minutes <=> OLD.period_minutes AND
        NEW.local_period <=> OLD.local_period AND NEW.callbacks <=> OLD.callbacks) THEN
        SET NEW.added_at = dialer_now();
    END IF;
END
