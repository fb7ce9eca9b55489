-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_dnc: how long prefixes are is noted, and the cases are looked at
-- again. (A number that was added is not called from then on: begin asks the table itself.)
CREATE OR REPLACE FUNCTION dialer_dnc_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO dialer_dnc_lengths (length)
        SELECT DISTINCT length(n.number) - 1 FROM written n
        WHERE n.number LIKE '%*' AND length(n.number) - 1 NOT IN (SELECT z.length FROM dialer_dnc_lengths z)
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM dialer_rules_changed();
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_dnc_after_insert AFTER INSERT ON dialer_dnc
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write();
CREATE TRIGGER dialer_dnc_after_update AFTER UPDATE ON dialer_dnc
REFERENCING NEW TABLE AS written
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write();
CREATE TRIGGER dialer_dnc_after_delete AFTER DELETE ON dialer_dnc
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write()
