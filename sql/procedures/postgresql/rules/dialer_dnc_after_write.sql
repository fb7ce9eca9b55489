-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_dnc: how long prefixes are is noted, and the cases of the numbers are
-- looked at again; of a prefix, and of very many numbers at once, all cases. (A number that was added is not called from
-- then on: begin asks the table itself.)
CREATE OR REPLACE FUNCTION dialer_dnc_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_numbers varchar[];
BEGIN
    -- Each of the three triggers has the rows that its event has.
    IF TG_OP = 'INSERT' THEN
        v_numbers := ARRAY(SELECT n.number FROM written n);
    ELSIF TG_OP = 'UPDATE' THEN
        v_numbers := ARRAY(SELECT n.number FROM written n UNION SELECT o.number FROM gone o);
    ELSE
        v_numbers := ARRAY(SELECT o.number FROM gone o);
    END IF;
    INSERT INTO dialer_dnc_lengths (length)
    SELECT DISTINCT length(n.number) - 1 FROM unnest(v_numbers) n (number)
    WHERE n.number LIKE '%*' AND length(n.number) - 1 NOT IN (SELECT z.length FROM dialer_dnc_lengths z)
    ON CONFLICT DO NOTHING;
    IF cardinality(v_numbers) > 10000 OR EXISTS (SELECT FROM unnest(v_numbers) n (number) WHERE n.number LIKE '%*') THEN
        PERFORM dialer_rules_changed(false);
    ELSIF v_numbers <> '{}' THEN
        INSERT INTO dialer_rule_changes (number) SELECT DISTINCT n.number FROM unnest(v_numbers) n (number);
        PERFORM dialer_wake('');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_dnc_after_insert AFTER INSERT ON dialer_dnc
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write();
CREATE TRIGGER dialer_dnc_after_update AFTER UPDATE ON dialer_dnc
REFERENCING OLD TABLE AS gone NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write();
CREATE TRIGGER dialer_dnc_after_delete AFTER DELETE ON dialer_dnc
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write()
