-- Trigger, AFTER UPDATE OR DELETE ON dialer_dnc: what was loosened or taken away holds from the next turn. What is added
-- needs no wake-up: claims and begins ask.
CREATE OR REPLACE FUNCTION dialer_dnc_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake('');
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_dnc_after_write AFTER UPDATE OR DELETE OR TRUNCATE ON dialer_dnc
FOR EACH STATEMENT EXECUTE FUNCTION dialer_dnc_after_write()
