-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_holidays: have the workers look at every project, whose hours may
-- have changed.
CREATE OR REPLACE TRIGGER dialer_holidays_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_holidays
FOR EACH ROW CALL dialer_rules_changed(false)
