-- dialer_abandon_ledger(p_project, p_now) -> window, since_at, connected, abandoned, lost
-- The figures for a project's abandon target, in two rows: its last abandon_hours ('hours') and its last abandon_days
-- ('days'). The rate is abandoned / (connected + abandoned); lost is not part of it: nobody knows whether a person had
-- answered. No row: there is no such project.
CREATE OR REPLACE FUNCTION dialer_abandon_ledger(p_project varchar, p_now timestamptz)
RETURNS TABLE ("window" varchar, since_at timestamptz, connected bigint, abandoned bigint, lost bigint)
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    SELECT w.name, w.since_at,
        dialer_abandon_count(w.project_id, 'connected', w.since_at),
        dialer_abandon_count(w.project_id, 'abandoned', w.since_at),
        dialer_abandon_count(w.project_id, 'lost', w.since_at)
    FROM (
        SELECT r.project_id, s.name::varchar AS name, i.now - s.hours * interval '1 hour' AS since_at
        FROM dialer_rules r
        CROSS JOIN (SELECT dialer_instant(p_now) AS now) i
        CROSS JOIN LATERAL (VALUES ('hours', r.abandon_hours), ('days', 24 * r.abandon_days)) s (name, hours)
        WHERE r.project_id = p_project
    ) w
    ORDER BY w.name DESC
$$
