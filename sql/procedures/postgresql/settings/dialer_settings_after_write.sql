-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_settings: with another country numbers mean something else,
-- with another server_zone hours.
CREATE OR REPLACE FUNCTION dialer_settings_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF coalesce(OLD.name IN ('country', 'server_zone'), false) OR coalesce(NEW.name IN ('country', 'server_zone'), false)
    THEN
        PERFORM dialer_rules_changed(true);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_settings_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_settings
FOR EACH ROW EXECUTE FUNCTION dialer_settings_after_write()
