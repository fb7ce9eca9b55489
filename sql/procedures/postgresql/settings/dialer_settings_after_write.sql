-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_settings: with another country numbers mean something else.
CREATE OR REPLACE FUNCTION dialer_settings_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF 'country' IN (OLD.name, NEW.name) THEN
        PERFORM dialer_rules_changed();
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_settings_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_settings
FOR EACH ROW EXECUTE FUNCTION dialer_settings_after_write()
