-- Trigger, AFTER INSERT OR UPDATE ON dialer_trunks (not of its state): have every project looked at again.
CREATE OR REPLACE TRIGGER dialer_trunks_after_write AFTER INSERT OR UPDATE ON dialer_trunks
FOR EACH ROW CALL dialer_wake('')
