-- Trigger, BEFORE INSERT OR UPDATE ON dialer_limits: the checks, and when the row was changed.
CREATE OR REPLACE FUNCTION dialer_limits_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_scope_check('dialer_limits', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(NEW.keyed_by IN ('number', 'case'), false) THEN
        PERFORM dialer_refuse('dialer_limits.keyed_by', NEW.keyed_by, 'write number or case');
    END IF;
    IF NOT coalesce(NEW.counts IN ('attempts', 'connected', 'conversations'), false) THEN
        PERFORM dialer_refuse('dialer_limits.counts', NEW.counts, 'write attempts, connected or conversations');
    END IF;
    IF NOT coalesce(NEW.most BETWEEN 1 AND 10000, false) THEN
        PERFORM dialer_refuse('dialer_limits.most', NEW.most::varchar,
            'write how many are allowed, 1 to 10000 (numbers that nobody may call belong into dialer_dnc)');
    END IF;
    IF NEW.period_minutes NOT BETWEEN 1 AND 5256000 THEN
        PERFORM dialer_refuse('dialer_limits.period_minutes', NEW.period_minutes::varchar,
            'write minutes, 1 to 5256000 (ten years), or NULL');
    END IF;
    IF NEW.local_period NOT IN ('day', 'week', 'month') THEN
        PERFORM dialer_refuse('dialer_limits.local_period', NEW.local_period, 'write day, week, month or NULL');
    END IF;
    IF NEW.local_period IS NOT NULL AND NEW.period_minutes IS NOT NULL THEN
        PERFORM dialer_refuse('dialer_limits.local_period', NEW.local_period,
            'write either local_period or period_minutes; neither: over the whole campaign');
    END IF;
    IF NEW.callbacks IS NULL THEN
        PERFORM dialer_refuse('dialer_limits.callbacks', NULL, 'write true or false, or leave the column out');
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.added_at = OLD.added_at
       AND (NEW.project_id, NEW.client, NEW.region, NEW.purpose, NEW.keyed_by, NEW.counts, NEW.most, NEW.period_minutes,
            NEW.local_period, NEW.callbacks)
        IS DISTINCT FROM (OLD.project_id, OLD.client, OLD.region, OLD.purpose, OLD.keyed_by, OLD.counts, OLD.most,
            OLD.period_minutes, OLD.local_period, OLD.callbacks) THEN
        NEW.added_at := dialer_now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_limits_before_write BEFORE INSERT OR UPDATE ON dialer_limits
FOR EACH ROW EXECUTE FUNCTION dialer_limits_before_write()
