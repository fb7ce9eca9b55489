-- dialer_project_report(p_worker, p_asterisk, p_epoch, p_project, p_reason, p_now)
-- The owner of an Asterisk reports that a project cannot be dialled there (p_reason, a sentence with the remedy), or
-- that it can (NULL). This says nothing about other Asterisks. The worker checks again by itself: after 5 s, then at
-- growing intervals of up to a minute.
CREATE OR REPLACE FUNCTION dialer_project_report(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_project varchar,
    p_reason varchar,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN;
    END IF;
    v_now := dialer_instant(p_now);
    IF p_reason IS NULL THEN
        DELETE FROM dialer_fitness WHERE project_id = p_project AND asterisk = p_asterisk;
        RETURN;
    END IF;
    INSERT INTO dialer_fitness AS f (project_id, asterisk, reason, since_at, until_at, retries)
    VALUES (p_project, p_asterisk, left(p_reason, 1000), v_now, v_now + dialer_backoff(5, 0, 60) * interval '1 second', 1)
    ON CONFLICT (project_id, asterisk) DO UPDATE
    SET reason = excluded.reason,
        until_at = v_now + dialer_backoff(5, f.retries, 60) * interval '1 second',
        retries = f.retries + 1;
END
$$
