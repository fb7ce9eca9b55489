-- dialer_project_report(p_worker, p_asterisk, p_epoch, p_project, p_reason, p_now)
-- The owner of an Asterisk says that a project cannot be dialled there (p_reason, a sentence with the
-- remedy), or that it can (NULL). A failing project is looked at again by itself: after 5 s, then at growing
-- intervals up to a minute.
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
        UPDATE dialer_projects j
        SET state = 'running', reason = NULL, since_at = v_now, until_at = NULL, retries = 0, hungry = true
        WHERE j.project_id = p_project AND j.wanted = 'start' AND j.state = 'failing';
    ELSE
        UPDATE dialer_projects j
        SET since_at = CASE WHEN j.state = 'failing' THEN j.since_at ELSE v_now END,
            state = 'failing',
            reason = p_reason,
            until_at = v_now + least(60, 5 * 2 ^ least(j.retries, 4)) * interval '1 second',
            retries = j.retries + 1
        WHERE j.project_id = p_project AND j.wanted = 'start';
    END IF;
END
$$
