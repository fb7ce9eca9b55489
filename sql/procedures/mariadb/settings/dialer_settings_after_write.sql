-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_settings: with another country numbers mean something else.
CREATE OR REPLACE TRIGGER dialer_settings_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_settings
FOR EACH ROW
BEGIN
    IF coalesce(NEW.name = 'country', false) OR coalesce(OLD.name = 'country', false) THEN
        CALL dialer_rules_changed();
    END IF;
END
