-- Trigger, BEFORE INSERT OR UPDATE ON dialer_presets: the checks.
CREATE OR REPLACE FUNCTION dialer_presets_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT coalesce(dialer_printable(NEW.preset) AND length(NEW.preset) BETWEEN 1 AND 40, false) THEN
        PERFORM dialer_refuse('dialer_presets.preset', NEW.preset, 'write the name of a preset, up to 40 characters');
    END IF;
    PERFORM dialer_scope_check('dialer_presets', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(dialer_printable(NEW.source) AND length(NEW.source) BETWEEN 1 AND 400, false) THEN
        PERFORM dialer_refuse('dialer_presets.source', NEW.source, 'write the law or code, up to 400 characters');
    END IF;
    IF NOT coalesce(NEW.dated BETWEEN '1970-01-01' AND '2100-01-01', false) THEN
        PERFORM dialer_refuse('dialer_presets.dated', NEW.dated::varchar, 'write the day of which this is the law');
    END IF;
    IF NOT coalesce(NEW.sure IN ('A', 'B', 'C'), false) THEN
        PERFORM dialer_refuse('dialer_presets.sure', NEW.sure,
            'write A (text or regulator), B (two secondary sources) or C (one, or disputed)');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_presets_before_write BEFORE INSERT OR UPDATE ON dialer_presets
FOR EACH ROW EXECUTE FUNCTION dialer_presets_before_write()
