-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_dnc: how long prefixes are is noted, and the cases of the numbers are
-- looked at again; of a prefix, and of very many numbers at once, all cases. (A number that was added is not called from
-- then on: begin asks the table itself.)
CREATE OR REPLACE TRIGGER dialer_dnc_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_dnc
FOR EACH ROW
BEGIN
    IF coalesce(NEW.number LIKE '%*', false) OR coalesce(OLD.number LIKE '%*', false) THEN
        IF NEW.number LIKE '%*' THEN
            INSERT IGNORE INTO dialer_dnc_lengths (length) VALUES (char_length(NEW.number) - 1);
        END IF;
        CALL dialer_rules_changed(false);
    ELSE
        INSERT INTO dialer_rule_changes (number) VALUES (coalesce(NEW.number, OLD.number));
        IF NEW.number <> OLD.number THEN
            INSERT INTO dialer_rule_changes (number) VALUES (OLD.number);
        END IF;
        CALL dialer_wake('');
    END IF;
END
