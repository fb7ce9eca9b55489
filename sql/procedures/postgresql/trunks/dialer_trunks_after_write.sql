-- Trigger, AFTER INSERT OR UPDATE ON dialer_trunks (not of its state): have every project looked at again.
CREATE OR REPLACE FUNCTION dialer_trunks_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake('');
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_trunks_after_write
AFTER INSERT OR UPDATE OF dial_template, max_lines, calls_per_second, burst
ON dialer_trunks
FOR EACH ROW EXECUTE FUNCTION dialer_trunks_after_write()
