-- dialer_rules_changed(p_numbers)
-- Rules have changed: a worker is to look at the cases again (dialer_screen), and at every project. p_numbers: numbers
-- may mean something else, or be somewhere else. For the triggers of the tables of rules. (MariaDB has triggers per
-- row: only the first row of a statement says so.)
CREATE OR REPLACE PROCEDURE dialer_rules_changed(p_numbers tinyint(1))
BEGIN
    -- NOW(6) is the same throughout a statement.
    IF NOT coalesce(@dialer_changed_at = concat(now(6), p_numbers), false) THEN
        SET @dialer_changed_at = concat(now(6), p_numbers);
        INSERT INTO dialer_rule_changes (numbers) VALUES (p_numbers);
        CALL dialer_wake('');
    END IF;
END
