-- dialer_prune(p_now)
-- Delete what is no longer needed, a thousand rows of each kind at a time: workers that left or died a day ago, numbers
-- whose protection after an abandoned call, or whose pause, is over, decisions of the pacing older than journal_hours
-- of dialer_settings
-- (48), ends of calls whose case did not come back within 400 days, troubles that nobody has reported for an hour, and
-- for cases those that were mended, notes about deleted attempts that later ones say more about. For dialer_reap. On a
-- virtual clock only at the instant given: the database's own time says nothing about a simulated day.
CREATE OR REPLACE PROCEDURE dialer_prune(p_now datetime(6))
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_before datetime(6);
    -- Workers go by the database's clock, whatever clock the calls go by.
    DELETE FROM dialer_workers
    WHERE coalesce(stopped_at, lease_until) < sysdate(6) - INTERVAL 1 DAY
      AND id NOT IN (SELECT a.worker_id FROM dialer_asterisks a WHERE a.worker_id IS NOT NULL)
      AND id NOT IN (SELECT c.worker_id FROM dialer_calls c)
    ORDER BY id LIMIT 1000;
    -- If nobody listens they would otherwise be kept for ever.
    BEGIN
        DECLARE EXIT HANDLER FOR 1205 BEGIN END;
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        DELETE FROM dialer_wakeups WHERE written_at < sysdate(6) - INTERVAL 1 HOUR ORDER BY session LIMIT 1000;
    END;
    BEGIN
        DECLARE EXIT HANDLER FOR 1205 BEGIN END;
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        DELETE f
        FROM dialer_forgotten f
        JOIN dialer_forgotten l ON l.project_id = f.project_id
            AND (l.begun_at > f.begun_at OR (l.begun_at = f.begun_at AND l.session > f.session))
        WHERE f.noted_at < sysdate(6) - INTERVAL 1 DAY;
    END;
    IF p_now IS NOT NULL OR NOT dialer_setting('virtual_clock') <=> 'true' THEN
        SELECT dialer_instant(p_now) INTO v_now;
        SELECT v_now - INTERVAL dialer_setting_number('journal_hours', 48) * 3600 SECOND INTO v_before;
        DELETE FROM dialer_abandoned WHERE until_at <= v_now ORDER BY until_at LIMIT 1000;
        DELETE FROM dialer_number_pauses WHERE until_at <= v_now ORDER BY until_at LIMIT 1000;
        DELETE FROM dialer_away WHERE ended_at < v_now - INTERVAL 400 DAY ORDER BY ended_at LIMIT 1000;
        DELETE FROM dialer_pacing_journal WHERE at < v_before ORDER BY at LIMIT 1000;
        DELETE FROM dialer_troubles
        WHERE (kind <> 'case' AND told_at < v_now - INTERVAL 1 HOUR)
           OR (kind = 'case' AND NOT EXISTS (
            SELECT 1 FROM dialer_clients c WHERE c.id = CAST(subject AS signed) AND c.used AND c.last_attempt_id = -1));
    END IF;
END
