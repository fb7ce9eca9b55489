-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_settings: with another country numbers mean something else,
-- with another server_zone hours.
CREATE OR REPLACE TRIGGER dialer_settings_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_settings
FOR EACH ROW
BEGIN
    IF coalesce(NEW.name IN ('country', 'server_zone'), false) OR coalesce(OLD.name IN ('country', 'server_zone'), false) THEN
        CALL dialer_rules_changed(true);
    END IF;
END
