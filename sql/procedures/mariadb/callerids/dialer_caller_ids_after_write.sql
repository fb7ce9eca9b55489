-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_caller_ids: have every project looked at again.
CREATE OR REPLACE TRIGGER dialer_caller_ids_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_caller_ids
FOR EACH ROW CALL dialer_wake('')
