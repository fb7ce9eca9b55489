-- Trigger, AFTER INSERT ON dialer_clients, once per statement: wake the workers of the projects that wait
-- for cases. Unconditional notifications would cut parallel single-row INSERTs to a third or less, because
-- NOTIFY holds a lock of the whole database over the commit. A worker that finds too few cases says so
-- (hungry) and looks once more, so that no INSERT falls in between.
CREATE OR REPLACE TRIGGER dialer_clients_after_insert AFTER INSERT ON dialer_clients
FOR EACH ROW
BEGIN
    -- Once per statement and project: NOW(6) is the same throughout a statement. Whether a worker is hungry is
    -- asked by dialer_wait: a read in here would hold a lock on the project until the INSERT is committed.
    IF NOT coalesce(@dialer_woken_at = now(6), false) THEN
        SET @dialer_woken_at = now(6), @dialer_woken = '\n';
    END IF;
    IF NOT locate(concat('\n', NEW.project_id, '\n'), @dialer_woken) THEN
        SET @dialer_woken = concat(@dialer_woken, NEW.project_id, '\n');
        -- One row a session and project, however many statements: its key is a row, no gap, so nobody waits for it.
        INSERT INTO dialer_wakeups (session, project_id, only_hungry, written_at)
        VALUES (connection_id(), NEW.project_id, true, sysdate(6))
        ON DUPLICATE KEY UPDATE written_at = sysdate(6);
    END IF;
END
