-- dialer_prune(p_now)
-- Delete what is no longer needed, a thousand rows of each kind at a time: workers that left or died a day ago, numbers
-- whose protection after an abandoned call, or whose pause, is over, decisions of the pacing older than journal_hours
-- of dialer_settings
-- (48), ends of calls whose case did not come back within 400 days, troubles that nobody has reported for an hour, and
-- for cases those that were mended, notes about deleted attempts that later ones say more about. For dialer_reap. On a
-- virtual clock only at the instant given: the database's own time says nothing about a simulated day.
CREATE OR REPLACE FUNCTION dialer_prune(p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz := dialer_instant(p_now);
BEGIN
    -- Workers go by the database's clock, whatever clock the calls go by.
    DELETE FROM dialer_workers
    WHERE id IN (
        SELECT w.id FROM dialer_workers w
        WHERE coalesce(w.stopped_at, w.lease_until) < clock_timestamp() - interval '1 day'
          AND NOT EXISTS (SELECT FROM dialer_asterisks a WHERE a.worker_id = w.id)
          AND NOT EXISTS (SELECT FROM dialer_calls c WHERE c.worker_id = w.id)
        ORDER BY w.id LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_forgotten
    WHERE (session, project_id) IN (
        SELECT f.session, f.project_id FROM dialer_forgotten f
        WHERE f.noted_at < clock_timestamp() - interval '1 day'
          AND EXISTS (
            SELECT FROM dialer_forgotten l
            WHERE l.project_id = f.project_id AND (l.begun_at, l.session) > (f.begun_at, f.session))
        LIMIT 1000 FOR UPDATE SKIP LOCKED);
    IF p_now IS NULL AND dialer_setting('virtual_clock') = 'true' THEN
        RETURN;
    END IF;
    DELETE FROM dialer_abandoned
    WHERE number IN (
        SELECT b.number FROM dialer_abandoned b
        WHERE b.until_at <= v_now
        ORDER BY b.until_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_number_pauses
    WHERE id IN (
        SELECT p.id FROM dialer_number_pauses p
        WHERE p.until_at <= v_now
        ORDER BY p.until_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_away
    WHERE attempt_id IN (
        SELECT w.attempt_id FROM dialer_away w
        WHERE w.ended_at < v_now - interval '400 days'
        ORDER BY w.ended_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_pacing_journal
    WHERE id IN (
        SELECT d.id FROM dialer_pacing_journal d
        WHERE d.at < v_now - dialer_setting_number('journal_hours', 48) * interval '1 hour'
        ORDER BY d.at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_troubles b
    WHERE (b.kind <> 'case' AND b.told_at < v_now - interval '1 hour')
       OR (b.kind = 'case' AND NOT EXISTS (
        SELECT FROM dialer_clients c WHERE c.id::varchar = b.subject AND c.used AND c.last_attempt_id = -1));
END
$$
