-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_pauses: the cases are looked at again.
CREATE OR REPLACE TRIGGER dialer_pauses_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_pauses
FOR EACH ROW CALL dialer_rules_changed(false)
