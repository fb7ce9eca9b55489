-- Trigger, AFTER DELETE ON dialer_attempts (PostgreSQL: and BEFORE TRUNCATE): note per project when the latest of the
-- attempts began that are gone, as limits do not count them any more (dialer_warnings, limit_forgets). Each session has
-- rows of its own, so that nobody waits for another one. (MariaDB: per row.)
CREATE OR REPLACE FUNCTION dialer_attempts_after_delete()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO dialer_forgotten AS f (session, project_id, begun_at, noted_at)
        SELECT pg_backend_pid(), g.project_id, max(g.begun_at), clock_timestamp()
        FROM gone g
        WHERE g.reach > 0
        GROUP BY g.project_id
        ON CONFLICT (session, project_id) DO UPDATE
        SET begun_at = excluded.begun_at, noted_at = excluded.noted_at
        WHERE f.begun_at < excluded.begun_at;
    ELSE
        INSERT INTO dialer_forgotten AS f (session, project_id, begun_at, noted_at)
        SELECT pg_backend_pid(), a.project_id, max(a.begun_at), clock_timestamp()
        FROM dialer_attempts a
        WHERE a.reach > 0
        GROUP BY a.project_id
        ON CONFLICT (session, project_id) DO UPDATE
        SET begun_at = excluded.begun_at, noted_at = excluded.noted_at
        WHERE f.begun_at < excluded.begun_at;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER dialer_attempts_after_delete AFTER DELETE ON dialer_attempts
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION dialer_attempts_after_delete();
CREATE TRIGGER dialer_attempts_after_delete_truncate BEFORE TRUNCATE ON dialer_attempts
FOR EACH STATEMENT EXECUTE FUNCTION dialer_attempts_after_delete()
