-- dialer_prune(p_now)
-- Delete what nobody asks for any more, a thousand rows of each at a time: numbers whose protection after an
-- abandoned call is over, decisions of the pacing older than journal_hours of dialer_settings (48). For dialer_reap.
-- On a virtual clock only at the instant given: the database's own time says nothing about a simulated day.
CREATE OR REPLACE FUNCTION dialer_prune(p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz := dialer_instant(p_now);
BEGIN
    IF p_now IS NULL AND dialer_setting('virtual_clock') = 'true' THEN
        RETURN;
    END IF;
    DELETE FROM dialer_abandoned
    WHERE phone_number IN (
        SELECT b.phone_number FROM dialer_abandoned b
        WHERE b.until_at <= v_now
        ORDER BY b.until_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM dialer_pacing_journal
    WHERE id IN (
        SELECT d.id FROM dialer_pacing_journal d
        WHERE d.at < v_now - dialer_setting_number('journal_hours', 48) * interval '1 hour'
        ORDER BY d.at LIMIT 1000 FOR UPDATE SKIP LOCKED);
END
$$
