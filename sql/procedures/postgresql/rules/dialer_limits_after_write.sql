-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_limits: the cases are looked at again.
CREATE OR REPLACE FUNCTION dialer_limits_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_rules_changed(false);
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_limits_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_limits
FOR EACH STATEMENT EXECUTE FUNCTION dialer_limits_after_write()
