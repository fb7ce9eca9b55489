-- dialer_project_states: one row per project, its state as a reader should see it.
-- What was asked and found (dialer_projects), and what stands in the way although no worker could say so:
-- no live worker, Asterisk down, trunk missing or failing.
CREATE OR REPLACE VIEW dialer_project_states AS
SELECT
    j.project_id,
    r.type,
    j.wanted,
    CASE
        WHEN j.wanted = 'stop' THEN 'stopped'
        WHEN obstacle.reason IS NOT NULL AND j.state <> 'finished' THEN 'failing'
        ELSE j.state
    END::varchar AS state,
    CASE
        WHEN j.wanted = 'stop' THEN NULL
        WHEN obstacle.reason IS NOT NULL AND j.state <> 'finished' THEN obstacle.reason
        ELSE j.reason
    END::varchar AS reason,
    CASE WHEN obstacle.reason IS NOT NULL THEN coalesce(obstacle.since_at, j.since_at) ELSE j.since_at END
        AS since_at,
    CASE WHEN obstacle.reason IS NOT NULL THEN obstacle.until_at ELSE j.until_at END AS until_at,
    obstacle.kind::varchar AS obstacle,
    obstacle.reason::varchar AS obstacle_reason,
    (SELECT count(*) FROM dialer_live l WHERE l.project_id = j.project_id) AS calls_up,
    (SELECT count(*) FROM dialer_claims l WHERE l.project_id = j.project_id AND l.attempt_id IS NULL) AS claimed,
    j.cases_waiting,
    j.counted_at
FROM dialer_projects j
LEFT JOIN dialer_rules r ON r.project_id = j.project_id
LEFT JOIN dialer_trunks t ON t.trunk = r.trunk AND t.asterisk = r.asterisk
LEFT JOIN dialer_asterisks a ON a.asterisk = r.asterisk
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN r.project_id IS NULL THEN 'no_project'
            WHEN a.worker_id IS NULL OR a.lease_until <= statement_timestamp() THEN 'no_worker'
            WHEN a.state = 'down' THEN 'asterisk_down'
            WHEN j.state = 'failing' THEN 'project_failing'
            WHEN t.trunk IS NULL THEN 'project_failing'
            WHEN t.state = 'failing' THEN 'project_failing'
        END AS kind,
        CASE
            WHEN r.project_id IS NULL THEN 'no row in dialer_params: insert one for this project_id'
            WHEN a.worker_id IS NULL OR a.lease_until <= statement_timestamp() THEN
                'no live worker owns Asterisk ' || r.asterisk || ': start one with `dialer run`'
            WHEN a.state = 'down' THEN 'Asterisk ' || a.asterisk || ' is down: ' || coalesce(a.reason, 'unknown')
            WHEN j.state = 'failing' THEN j.reason
            WHEN t.trunk IS NULL THEN 'trunk ' || r.trunk || ' has no row in dialer_trunks for Asterisk '
                || r.asterisk || ': insert one or change dialer_params.trunk'
            WHEN t.state = 'failing' THEN 'trunk ' || t.trunk || ' is failing: ' || t.reason
        END AS reason,
        CASE
            WHEN a.state = 'down' THEN a.since_at
            WHEN j.state = 'failing' THEN j.since_at
            WHEN t.state = 'failing' THEN t.since_at
        END AS since_at,
        CASE
            WHEN j.state = 'failing' THEN j.until_at
            WHEN t.state = 'failing' THEN t.retry_at
        END AS until_at
) obstacle
