-- dialer_rules_changed()
-- Rules have changed: a worker is to look at the cases again (dialer_screen), and at every project. For the triggers of
-- the tables of rules. (MariaDB has triggers per row: only the first row of a statement says so.)
CREATE OR REPLACE PROCEDURE dialer_rules_changed()
BEGIN
    -- NOW(6) is the same throughout a statement.
    IF NOT coalesce(@dialer_changed_at = now(6), false) THEN
        SET @dialer_changed_at = now(6);
        INSERT INTO dialer_rule_changes (id) VALUES (NULL);
        CALL dialer_wake('');
    END IF;
END
