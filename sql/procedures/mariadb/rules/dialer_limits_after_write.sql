-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_limits: the cases are looked at again.
CREATE OR REPLACE TRIGGER dialer_limits_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_limits
FOR EACH ROW CALL dialer_rules_changed(false)
