-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: wakes the workers, who look at what they found missing
-- before, too. It writes no other table: a statement may read that one.
CREATE OR REPLACE PROCEDURE dialer_params_after_write(p_old_project varchar(400), p_new_project varchar(400))
MODIFIES SQL DATA
CALL dialer_wake(coalesce(p_new_project, p_old_project))
