-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_case_numbers: a worker looks again at the cases whose numbers people
-- have changed (dialer_screen): the number that is dialled next may be another one, or one that no rule keeps back.
-- (MariaDB: those of an import are told by dialer_import_put, all at once.)
CREATE OR REPLACE TRIGGER dialer_case_numbers_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_case_numbers
FOR EACH ROW
BEGIN
    DECLARE v_case bigint DEFAULT coalesce(NEW.case_id, OLD.case_id);
    DECLARE v_number varchar(400);
    -- Not what the dialer itself writes: number, and place 1.
    IF coalesce(NEW.place, OLD.place) > 1 AND @dialer_importing_numbers IS NULL
       AND NOT coalesce(NEW.case_id = OLD.case_id AND NEW.place = OLD.place AND NEW.phone_number = OLD.phone_number, false)
    THEN
        -- By the number that the case has now. Cases that are used up, or in hand, are not looked at.
        SELECT max(c.number) INTO v_number FROM dialer_clients c WHERE c.id = v_case AND NOT c.used AND NOT c.checked;
        IF v_number IS NOT NULL THEN
            INSERT INTO dialer_rule_changes (number) VALUES (v_number);
            CALL dialer_wake('');
        END IF;
        IF NEW.case_id <> OLD.case_id THEN
            SELECT max(c.number) INTO v_number FROM dialer_clients c WHERE c.id = OLD.case_id AND NOT c.used AND NOT c.checked;
            IF v_number IS NOT NULL THEN
                INSERT INTO dialer_rule_changes (number) VALUES (v_number);
            END IF;
        END IF;
    END IF;
END
