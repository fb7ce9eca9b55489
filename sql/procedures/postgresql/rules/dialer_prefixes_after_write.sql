-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_prefixes: have the workers look at every project, whose cases may be
-- somewhere else.
CREATE OR REPLACE FUNCTION dialer_prefixes_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_rules_changed(true);
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_prefixes_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_prefixes
FOR EACH STATEMENT EXECUTE FUNCTION dialer_prefixes_after_write()
