-- dialer_rules_changed()
-- Rules have changed: a worker is to look at the cases again (dialer_screen), and at every project. For the triggers of
-- the tables of rules. (MariaDB has triggers per row: only the first row of a statement says so.)
CREATE OR REPLACE FUNCTION dialer_rules_changed()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO dialer_rule_changes DEFAULT VALUES;
    PERFORM dialer_wake('');
END
$$
