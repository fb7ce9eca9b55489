-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: have the workers look at every project, and check again
-- what they found missing (a wake-up for one project only says that its cases have changed). If it changes which rules
-- apply to the project, or how its numbers are read, the cases are looked at again.
CREATE OR REPLACE FUNCTION dialer_params_after_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM dialer_wake('');
    IF (NEW.project_id, NEW.client, NEW.purpose, NEW.country, NEW.zone, NEW.zone_by)
        IS DISTINCT FROM (OLD.project_id, OLD.client, OLD.purpose, OLD.country, OLD.zone, OLD.zone_by) THEN
        PERFORM dialer_rules_changed(true);
    ELSIF (NEW.scrubbed_at, NEW.scrub_days, NEW.scrub_blocks)
        IS DISTINCT FROM (OLD.scrubbed_at, OLD.scrub_days, OLD.scrub_blocks) THEN
        PERFORM dialer_rules_changed(false);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
FOR EACH ROW EXECUTE FUNCTION dialer_params_after_write()
