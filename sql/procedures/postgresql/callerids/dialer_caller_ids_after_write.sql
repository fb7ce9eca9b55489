-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_caller_ids: have every project looked at again.
CREATE OR REPLACE FUNCTION dialer_caller_ids_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake('');
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_caller_ids_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_caller_ids
FOR EACH ROW EXECUTE FUNCTION dialer_caller_ids_after_write()
