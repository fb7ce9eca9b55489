-- dialer_stat_pacing: one row per predictive project: its abandon target against the rates measured over its two
-- windows (day: the last abandon_hours, days: the last abandon_days; counted as in dialer_abandon_ledger), and the last
-- decision of its pacing (dialer_pacing_journal).
-- left_before_target: how many more calls may be abandoned now before the stricter window exceeds the target; 0: its
-- budget is used up; NULL: a target of 100 per cent is never reached. Rates go from 0 to 1, the target is in per cent.
CREATE OR REPLACE VIEW dialer_stat_pacing AS
SELECT
    p.project_id, p.abandon_target,
    p.day_connected, p.day_abandoned,
    round(CAST(p.day_abandoned AS decimal(20, 10)) / nullif(p.day_connected + p.day_abandoned, 0), 5) AS day_rate,
    p.days_connected, p.days_abandoned,
    round(CAST(p.days_abandoned AS decimal(20, 10)) / nullif(p.days_connected + p.days_abandoned, 0), 5) AS days_rate,
    p.days_lost,
    -- One more abandoned call also adds one to the calls that count.
    CASE WHEN p.abandon_target < 100 THEN
        CAST(greatest(0, floor(least(
            p.abandon_target * (p.day_connected + p.day_abandoned) - 100 * p.day_abandoned,
            p.abandon_target * (p.days_connected + p.days_abandoned) - 100 * p.days_abandoned)
            / (100 - p.abandon_target))) AS signed)
    END AS left_before_target,
    j.mode, j.reason, j.quota, j.at AS decided_at, s.saved_at
FROM (
    -- DISTINCT, so that it is counted once, not once for each column that depends on it.
    SELECT DISTINCT r.project_id, r.abandon_target,
        dialer_abandon_count(r.project_id, 'connected', dialer_now() - INTERVAL r.abandon_hours HOUR) AS day_connected,
        dialer_abandon_count(r.project_id, 'abandoned', dialer_now() - INTERVAL r.abandon_hours HOUR) AS day_abandoned,
        dialer_abandon_count(r.project_id, 'connected', dialer_now() - INTERVAL r.abandon_days DAY) AS days_connected,
        dialer_abandon_count(r.project_id, 'abandoned', dialer_now() - INTERVAL r.abandon_days DAY) AS days_abandoned,
        dialer_abandon_count(r.project_id, 'lost', dialer_now() - INTERVAL r.abandon_days DAY) AS days_lost
    FROM dialer_rules r
    WHERE r.type = 'predictive'
) p
LEFT JOIN dialer_pacing_journal j ON j.id = (
    SELECT max(d.id) FROM dialer_pacing_journal d WHERE d.project_id = p.project_id)
LEFT JOIN dialer_pacing_state s ON s.project_id = p.project_id
