-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_case_numbers: a worker looks again at the cases whose numbers people
-- have changed (dialer_screen): the number that is dialled next may be another one, or one that no rule keeps back.
-- (MariaDB: those of an import are told by dialer_import_put, all at once.)
CREATE OR REPLACE FUNCTION dialer_case_numbers_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_cases bigint[];
    v_numbers varchar[];
BEGIN
    -- Each of the three triggers has the rows that its event has. Not what the dialer itself writes: number, and place 1.
    IF TG_OP = 'INSERT' THEN
        v_cases := ARRAY(SELECT n.case_id FROM written n WHERE n.place > 1);
    ELSIF TG_OP = 'UPDATE' THEN
        v_cases := ARRAY(
            SELECT k.case_id
            FROM (
                (SELECT n.case_id, n.place, n.phone_number FROM written n
                EXCEPT SELECT o.case_id, o.place, o.phone_number FROM gone o)
                UNION ALL
                (SELECT o.case_id, o.place, o.phone_number FROM gone o
                EXCEPT SELECT n.case_id, n.place, n.phone_number FROM written n)
            ) k
            WHERE k.place > 1);
    ELSE
        v_cases := ARRAY(SELECT o.case_id FROM gone o WHERE o.place > 1);
    END IF;
    -- By the number that each case has now. Cases that are used up, or in hand, are not looked at.
    v_numbers := ARRAY(
        SELECT DISTINCT c.number FROM dialer_clients c WHERE c.id = ANY (v_cases) AND NOT c.used AND NOT c.checked);
    IF cardinality(v_numbers) > 10000 THEN
        PERFORM dialer_rules_changed(false);
    ELSIF v_numbers <> '{}' THEN
        INSERT INTO dialer_rule_changes (number) SELECT n.number FROM unnest(v_numbers) n (number);
        PERFORM dialer_wake('');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_case_numbers_after_insert AFTER INSERT ON dialer_case_numbers
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_case_numbers_after_write();
CREATE TRIGGER dialer_case_numbers_after_update AFTER UPDATE ON dialer_case_numbers
REFERENCING OLD TABLE AS gone NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_case_numbers_after_write();
CREATE TRIGGER dialer_case_numbers_after_delete AFTER DELETE ON dialer_case_numbers
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION dialer_case_numbers_after_write()
