-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_prefixes: have the workers look at every project, whose cases may be
-- somewhere else.
CREATE OR REPLACE TRIGGER dialer_prefixes_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_prefixes
FOR EACH ROW CALL dialer_rules_changed(true)
