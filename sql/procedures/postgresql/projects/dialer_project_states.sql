-- dialer_project_states: one row per project, its state as a reader should see it.
-- It combines what was asked and found (dialer_projects) with what stands in the way: no live worker, Asterisk down,
-- something missing there (dialer_fitness), trunk missing or failing, trouble with this very project (dialer_troubles).
-- A project without agents is dialled on each Asterisk that has its trunk; it is failing if it cannot be dialled on any
-- of them. asterisk: the one that the row is about.
CREATE OR REPLACE VIEW dialer_project_states AS
SELECT
    p.project_id,
    r.type,
    coalesce(j.wanted, 'stop')::varchar AS wanted,
    CASE
        WHEN coalesce(j.wanted, 'stop') = 'stop' THEN 'stopped'
        WHEN obstacle.reason IS NOT NULL AND j.state <> 'finished' THEN 'failing'
        ELSE j.state
    END::varchar AS state,
    CASE
        WHEN j.wanted = 'start' AND j.state <> 'finished' THEN obstacle.reason
        WHEN j.wanted = 'start' AND r.scrub_blocks AND r.list_until <= dialer_now() AND (
            EXISTS (SELECT FROM dialer_fresh f WHERE f.project_id = p.project_id)
            OR EXISTS (SELECT FROM dialer_deferred d WHERE d.project_id = p.project_id)) THEN r.list_words
        WHEN j.wanted = 'start' THEN (
            SELECT 'rules keep back the ' || count(*) || ' cases that are left, see dialer_why_count'
            FROM dialer_held h
            WHERE h.project_id = p.project_id
            HAVING count(*) > 0)
    END::varchar AS reason,
    CASE WHEN obstacle.reason IS NOT NULL THEN coalesce(obstacle.since_at, j.since_at) ELSE j.since_at END
        AS since_at,
    CASE WHEN obstacle.reason IS NOT NULL THEN obstacle.until_at ELSE j.until_at END AS until_at,
    obstacle.kind::varchar AS obstacle,
    obstacle.reason::varchar AS obstacle_reason,
    (SELECT count(*) FROM dialer_live l WHERE l.project_id = p.project_id) AS calls_up,
    (SELECT count(*) FROM dialer_claims l WHERE l.project_id = p.project_id AND l.attempt_id IS NULL) AS claimed,
    j.cases_waiting,
    j.counted_at,
    obstacle.asterisk
FROM (SELECT project_id FROM dialer_rules UNION SELECT project_id FROM dialer_projects) p
LEFT JOIN dialer_projects j ON j.project_id = p.project_id
LEFT JOIN dialer_rules r ON r.project_id = p.project_id
CROSS JOIN LATERAL (
    SELECT
        a.asterisk,
        CASE
            WHEN r.project_id IS NULL THEN 'no_project'
            WHEN o.asterisk IS NULL OR NOT o.is_alive THEN 'no_worker'
            WHEN o.state = 'down' THEN 'asterisk_down'
            WHEN coalesce(f.reason, m.detail) IS NOT NULL OR t.trunk IS NULL OR t.state = 'failing'
                THEN 'project_failing'
        END AS kind,
        CASE
            WHEN r.project_id IS NULL THEN 'no row in dialer_params: insert one for this project_id'
            WHEN o.asterisk IS NULL OR NOT o.is_alive THEN
                'no live worker owns Asterisk ' || a.asterisk
                    || ': start `dialer run` with that Asterisk in its settings'
            WHEN o.state = 'down' THEN 'Asterisk ' || a.asterisk || ' is down: ' || coalesce(o.reason, 'unknown')
            WHEN f.reason IS NOT NULL THEN f.reason
            WHEN t.trunk IS NULL THEN 'trunk ' || r.trunk || ' has no row in dialer_trunks for Asterisk '
                || a.asterisk || ': insert one or change dialer_params.trunk'
            WHEN t.state = 'failing' THEN 'trunk ' || t.trunk || ' is failing: ' || t.reason
            ELSE m.detail
        END AS reason,
        CASE
            WHEN o.state = 'down' THEN o.since_at
            WHEN f.reason IS NOT NULL THEN f.since_at
            WHEN t.state = 'failing' THEN t.since_at
            ELSE m.since_at
        END AS since_at,
        CASE
            WHEN f.reason IS NOT NULL THEN f.until_at
            WHEN t.state = 'failing' THEN t.retry_at
        END AS until_at
    FROM (
        SELECT coalesce(r.asterisk, 'default') AS asterisk
        WHERE r.type IS DISTINCT FROM 'autoinforming'
            OR NOT EXISTS (SELECT FROM dialer_trunks d WHERE d.trunk = r.trunk)
        UNION ALL
        SELECT d.asterisk FROM dialer_trunks d WHERE d.trunk = r.trunk AND r.type = 'autoinforming'
    ) a
    LEFT JOIN (
        -- As dialer_lease_alive, but at the begin of the statement, when the lease was read: it may take longer than a lease.
        SELECT k.*, coalesce(k.worker_id IS NOT NULL AND k.lease_until > statement_timestamp()
            AND k.lease_until <= statement_timestamp() + (k.lease_seconds + 1) * interval '1 second', false) AS is_alive
        FROM dialer_asterisks k
    ) o ON o.asterisk = a.asterisk
    LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = a.asterisk
    LEFT JOIN dialer_fitness f ON f.project_id = p.project_id AND f.asterisk = a.asterisk
    LEFT JOIN LATERAL (
        SELECT b.detail, b.since_at FROM dialer_troubles b
        WHERE b.kind = 'project' AND b.subject = p.project_id AND b.asterisk = a.asterisk
          AND b.told_at > dialer_now() - interval '5 minutes'
        ORDER BY b.since_at LIMIT 1
    ) m ON true
    -- First an Asterisk where it can be dialled; otherwise the one that its parameters name.
    ORDER BY
        CASE
            WHEN r.project_id IS NULL THEN 0
            WHEN o.asterisk IS NULL OR NOT o.is_alive THEN 3
            WHEN o.state = 'down' THEN 2
            WHEN coalesce(f.reason, m.detail) IS NOT NULL OR t.trunk IS NULL OR t.state = 'failing' THEN 1
            ELSE 0
        END,
        a.asterisk <> coalesce(r.asterisk, 'default'), a.asterisk
    LIMIT 1
) obstacle
