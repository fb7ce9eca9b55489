-- dialer_prune(p_now)
-- Delete what nobody asks for any more, a thousand rows of each at a time: numbers whose protection after an
-- abandoned call is over, decisions of the pacing older than journal_hours of dialer_settings (48). For dialer_reap.
-- On a virtual clock only at the instant given: the database's own time says nothing about a simulated day.
CREATE OR REPLACE PROCEDURE dialer_prune(p_now datetime(6))
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_before datetime(6);
    IF p_now IS NOT NULL OR NOT dialer_setting('virtual_clock') <=> 'true' THEN
        SELECT dialer_instant(p_now) INTO v_now;
        SELECT v_now - INTERVAL dialer_setting_number('journal_hours', 48) * 3600 SECOND INTO v_before;
        DELETE FROM dialer_abandoned WHERE until_at <= v_now ORDER BY until_at LIMIT 1000;
        DELETE FROM dialer_pacing_journal WHERE at < v_before ORDER BY at LIMIT 1000;
    END IF;
END
