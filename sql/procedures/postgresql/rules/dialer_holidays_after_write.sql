-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_holidays: have the workers look at every project, whose hours may
-- have changed.
CREATE OR REPLACE FUNCTION dialer_holidays_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_rules_changed(false);
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_holidays_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_holidays
FOR EACH STATEMENT EXECUTE FUNCTION dialer_holidays_after_write()
