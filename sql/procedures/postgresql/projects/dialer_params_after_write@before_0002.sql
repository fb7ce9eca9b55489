-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: have the workers look at every project, and check again
-- what they found missing (a wake-up for one project only says that its cases have changed). It writes no other table,
-- since the statement may read that table.
CREATE OR REPLACE FUNCTION dialer_params_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake('');
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
FOR EACH ROW EXECUTE FUNCTION dialer_params_after_write()
