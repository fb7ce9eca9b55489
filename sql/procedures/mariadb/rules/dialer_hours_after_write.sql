-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_hours: have the workers look at every project, whose hours may have
-- changed.
CREATE OR REPLACE TRIGGER dialer_hours_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_hours
FOR EACH ROW CALL dialer_rules_changed(false)
