-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: have the workers look at every project, and check again
-- what they found missing (a wake-up for one project only says that its cases have changed). It writes no other table,
-- since the statement may read that table.
CREATE OR REPLACE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
FOR EACH ROW CALL dialer_wake('')
