-- Trigger, AFTER UPDATE ON dialer_clients, once per row that was brought back, promised or given another window: wake
-- the workers. Equal notifications from one transaction arrive as one.
CREATE OR REPLACE TRIGGER dialer_clients_after_update AFTER UPDATE ON dialer_clients
FOR EACH ROW
BEGIN
    IF NOT NEW.used AND NOT NEW.checked AND NEW.last_attempt_id <=> OLD.last_attempt_id AND NOT (
        NEW.project_id <=> OLD.project_id AND NEW.phone_number <=> OLD.phone_number AND NEW.utc <=> OLD.utc
        AND NEW.used <=> OLD.used AND NEW.allowed_start <=> OLD.allowed_start
        AND NEW.allowed_stop <=> OLD.allowed_stop AND NEW.deferred_time <=> OLD.deferred_time
        AND NEW.deferred_done <=> OLD.deferred_done) THEN
        -- Once per statement and project, as in dialer_clients_after_insert.
        IF NOT coalesce(@dialer_woken_at = now(6), false) THEN
            SET @dialer_woken_at = now(6), @dialer_woken = '\n';
        END IF;
        IF NOT locate(concat('\n', NEW.project_id, '\n'), @dialer_woken) THEN
            SET @dialer_woken = concat(@dialer_woken, NEW.project_id, '\n');
            INSERT INTO dialer_wakeups (session, project_id, only_hungry, written_at)
            VALUES (connection_id(), NEW.project_id, true, sysdate(6))
            ON DUPLICATE KEY UPDATE written_at = sysdate(6);
        END IF;
    END IF;
END
