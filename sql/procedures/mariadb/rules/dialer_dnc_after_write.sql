-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_dnc: how long prefixes are is noted, and the cases are looked at
-- again. (A number that was added is not called from then on: begin asks the table itself.)
CREATE OR REPLACE TRIGGER dialer_dnc_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_dnc
FOR EACH ROW
BEGIN
    IF NEW.number LIKE '%*' THEN
        INSERT IGNORE INTO dialer_dnc_lengths (length) VALUES (char_length(NEW.number) - 1);
    END IF;
    CALL dialer_rules_changed();
END
