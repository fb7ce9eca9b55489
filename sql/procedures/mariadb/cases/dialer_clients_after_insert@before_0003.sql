-- Trigger, AFTER INSERT ON dialer_clients, once per statement: wake the workers of the projects that wait
-- for cases. Unconditional notifications would cut parallel single-row INSERTs to a third or less, because
-- NOTIFY holds a lock of the whole database over the commit. A worker that finds too few cases marks the project as
-- hungry and then looks once more, so that no INSERT is missed in between.
CREATE OR REPLACE TRIGGER dialer_clients_after_insert AFTER INSERT ON dialer_clients
FOR EACH ROW
BEGIN
    -- A list has one project.
    IF NOT coalesce(@dialer_woken_at = now(6) AND @dialer_woken_last = NEW.project_id, false) THEN
        -- Once per statement and project: NOW(6) is the same throughout a statement. dialer_wait checks whether the project
        -- is hungry: a read in here would hold a lock on it until the INSERT is committed.
        IF NOT coalesce(@dialer_woken_at = now(6), false) THEN
            SET @dialer_woken_at = now(6), @dialer_woken = '\n';
        END IF;
        IF NOT locate(concat('\n', NEW.project_id, '\n'), @dialer_woken) THEN
            SET @dialer_woken = concat(@dialer_woken, NEW.project_id, '\n');
            -- One row per session and project, however many statements: the lock is on a row, not on a gap, so nobody waits
            -- for it.
            INSERT INTO dialer_wakeups (session, project_id, only_hungry, written_at)
            VALUES (connection_id(), NEW.project_id, true, sysdate(6))
            ON DUPLICATE KEY UPDATE written_at = sysdate(6);
        END IF;
        SET @dialer_woken_last = NEW.project_id;
    END IF;
END
