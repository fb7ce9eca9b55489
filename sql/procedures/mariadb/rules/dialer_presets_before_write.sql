-- Trigger, BEFORE INSERT OR UPDATE ON dialer_presets: the checks.
CREATE OR REPLACE TRIGGER dialer_presets_before_write BEFORE INSERT OR UPDATE ON dialer_presets
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_presets');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.preset) AND char_length(NEW.preset) BETWEEN 1 AND 40, false) THEN
        CALL dialer_refuse('dialer_presets.preset', NEW.preset, 'write the name of a preset, up to 40 characters');
    END IF;
    CALL dialer_scope_check('dialer_presets', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NOT coalesce(dialer_printable(NEW.source) AND char_length(NEW.source) BETWEEN 1 AND 400, false) THEN
        CALL dialer_refuse('dialer_presets.source', NEW.source, 'write the law or code, up to 400 characters');
    END IF;
    IF NOT coalesce(NEW.dated BETWEEN '1970-01-01' AND '2100-01-01', false) THEN
        CALL dialer_refuse('dialer_presets.dated', NEW.dated, 'write the day of which this is the law');
    END IF;
    IF NOT coalesce(NEW.sure IN ('A', 'B', 'C'), false) THEN
        CALL dialer_refuse('dialer_presets.sure', NEW.sure,
            'write A (text or regulator), B (two secondary sources) or C (one, or disputed)');
    END IF;
END
