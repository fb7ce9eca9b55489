-- dialer_trouble_report(p_worker, p_asterisk, p_epoch, p_kind, p_subject, p_step, p_detail, p_now)
-- The owner of an Asterisk reports what keeps one project, trunk, Asterisk, worker or case from being served there, and
-- at which step of its work (p_detail, a sentence), or that this is over (NULL). Readers see it in dialer_warnings,
-- dialer_why and /readyz; a trouble not reported for five minutes is over. A claim that was given up makes the project
-- hungry: when the transaction in its way ends, the cases it waits for may appear.
CREATE OR REPLACE FUNCTION dialer_trouble_report(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_kind varchar,
    p_subject varchar,
    p_step varchar,
    p_detail varchar,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    -- Without the ownership's lock, which may be the very trouble; a report by a previous owner is soon forgotten.
    IF NOT EXISTS (
        SELECT FROM dialer_asterisks a
        WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch)
    THEN
        RETURN;
    END IF;
    PERFORM dialer_trouble_write(p_kind, p_subject, p_asterisk, p_step, p_detail, dialer_instant(p_now));
    IF p_kind = 'project' AND p_step = 'claim' AND p_detail IS NOT NULL THEN
        -- Not if somebody holds the project's row: that may be the very trouble.
        UPDATE dialer_projects SET hungry = true
        WHERE project_id IN (
            SELECT j.project_id FROM dialer_projects j
            WHERE j.project_id = p_subject AND NOT j.hungry FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
END
$$
