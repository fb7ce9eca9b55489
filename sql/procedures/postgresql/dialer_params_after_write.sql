-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: wakes the workers, who look at what they found missing
-- before, too. It writes no other table: a statement may read that one.
CREATE OR REPLACE FUNCTION dialer_params_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM dialer_wake(OLD.project_id);
        RETURN NULL;
    END IF;
    PERFORM dialer_wake(NEW.project_id);
    RETURN NULL;
END
$$
