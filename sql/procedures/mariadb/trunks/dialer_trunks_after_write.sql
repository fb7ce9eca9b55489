-- Trigger, AFTER INSERT OR UPDATE ON dialer_trunks (not of its state): let every project look again.
CREATE OR REPLACE PROCEDURE dialer_trunks_after_write()
MODIFIES SQL DATA
CALL dialer_wake('')
