-- Trigger, AFTER INSERT, UPDATE OR DELETE ON dialer_params: have the workers look at every project, and check again
-- what they found missing (a wake-up for one project only says that its cases have changed). If it changes which rules
-- apply to the project, or how its numbers are read, the cases are looked at again.
CREATE OR REPLACE TRIGGER dialer_params_after_write AFTER INSERT OR UPDATE OR DELETE ON dialer_params
FOR EACH ROW
BEGIN
    CALL dialer_wake('');
    IF NOT (NEW.project_id <=> OLD.project_id AND NEW.client <=> OLD.client AND NEW.purpose <=> OLD.purpose
        AND NEW.country <=> OLD.country AND NEW.zone <=> OLD.zone
        AND NEW.zone_by <=> OLD.zone_by) THEN
        CALL dialer_rules_changed(true);
    ELSEIF NOT (NEW.scrubbed_at <=> OLD.scrubbed_at AND NEW.scrub_days <=> OLD.scrub_days
        AND NEW.scrub_blocks <=> OLD.scrub_blocks) THEN
        CALL dialer_rules_changed(false);
    END IF;
END
