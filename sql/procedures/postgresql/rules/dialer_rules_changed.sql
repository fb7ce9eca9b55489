-- dialer_rules_changed(p_numbers)
-- Rules have changed: a worker is to look at the cases again (dialer_screen), and at every project. p_numbers: numbers
-- may mean something else, or be somewhere else. For the triggers of the tables of rules. (MariaDB has triggers per
-- row: only the first row of a statement says so.)
CREATE OR REPLACE FUNCTION dialer_rules_changed(p_numbers bool)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO dialer_rule_changes (numbers) VALUES (p_numbers);
    PERFORM dialer_wake('');
END
$$
