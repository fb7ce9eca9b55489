-- Trigger, AFTER DELETE ON dialer_attempts (PostgreSQL: and BEFORE TRUNCATE): note per project when the latest of the
-- attempts began that are gone, as limits do not count them any more (dialer_warnings, limit_forgets). Each session has
-- rows of its own, so that nobody waits for another one. What dialer_archive deletes is none of these: it leaves what
-- limits need. (MariaDB: per row.)
CREATE OR REPLACE TRIGGER dialer_attempts_after_delete AFTER DELETE ON dialer_attempts
FOR EACH ROW
BEGIN
    IF OLD.reach > 0 AND @dialer_archiving IS NULL THEN
        INSERT INTO dialer_forgotten (session, project_id, begun_at, noted_at)
        VALUES (connection_id(), OLD.project_id, OLD.begun_at, sysdate(6))
        ON DUPLICATE KEY UPDATE
            noted_at = IF(begun_at < VALUES(begun_at), VALUES(noted_at), noted_at),
            begun_at = greatest(begun_at, VALUES(begun_at));
    END IF;
END
