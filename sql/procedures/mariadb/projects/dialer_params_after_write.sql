-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: have the workers look at every project, at what they found
-- missing before, too (a wake-up of one project says only that its cases have changed). It writes no other table: a
-- statement may read that one.
CREATE OR REPLACE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
FOR EACH ROW CALL dialer_wake('')
