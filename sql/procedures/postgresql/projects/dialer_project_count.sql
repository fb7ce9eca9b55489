-- dialer_project_count(p_project, p_now)
-- Count the waiting cases for dialer_stat_project; reads each of them, so a worker does it only now and then.
CREATE OR REPLACE FUNCTION dialer_project_count(p_project varchar, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_waiting bigint;
BEGIN
    SELECT (SELECT count(*) FROM dialer_fresh f WHERE f.project_id = p_project)
        + (SELECT count(*) FROM dialer_deferred d WHERE d.project_id = p_project)
        + (SELECT count(*) FROM dialer_held h WHERE h.project_id = p_project)
    INTO v_waiting;
    -- Skip it if somebody holds the row: the next count will do.
    UPDATE dialer_projects j
    SET cases_waiting = v_waiting, counted_at = dialer_instant(p_now)
    WHERE j.project_id IN (
        SELECT h.project_id FROM dialer_projects h WHERE h.project_id = p_project FOR NO KEY UPDATE SKIP LOCKED);
END
$$
