-- dialer_stat_trunk: one row per trunk: its settings, the lines in use and free, and whether it works.
-- A trunk that was failing with another dial_template is ok: the new one is tried at once.
CREATE OR REPLACE VIEW dialer_stat_trunk AS
SELECT
    t.trunk, t.asterisk, t.dial_template, t.max_lines, t.calls_per_second, t.burst,
    (SELECT count(*) FROM dialer_live l WHERE l.trunk = t.trunk AND l.asterisk = t.asterisk) AS lines_in_use,
    greatest(0, t.max_lines - (
        SELECT count(*) FROM dialer_live l WHERE l.trunk = t.trunk AND l.asterisk = t.asterisk)) AS lines_free,
    coalesce(s.state, 'ok') AS state, s.reason, s.since_at, s.retry_at, coalesce(s.retries, 0) AS retries,
    coalesce(s.streak, 0) AS streak, s.sound_at
FROM dialer_trunks t
LEFT JOIN dialer_trunk_states s ON s.trunk = t.trunk AND s.asterisk = t.asterisk
    AND (s.state = 'ok' OR s.dial_template = t.dial_template)
