-- dialer_project_states: one row per project, its state as a reader should see it.
-- What was asked and found (dialer_projects), and what stands in the way although no worker could say so:
-- no live worker, Asterisk down, trunk missing or failing.
CREATE OR REPLACE VIEW dialer_project_states AS
SELECT
    s.project_id,
    s.type,
    s.wanted,
    CASE
        WHEN s.wanted = 'stop' THEN 'stopped'
        WHEN s.obstacle IS NOT NULL AND s.own_state <> 'finished' THEN 'failing'
        ELSE s.own_state
    END AS state,
    CASE
        WHEN s.wanted = 'stop' THEN NULL
        WHEN s.obstacle IS NOT NULL AND s.own_state <> 'finished' THEN s.obstacle_reason
        ELSE s.own_reason
    END AS reason,
    CASE WHEN s.obstacle IS NOT NULL THEN coalesce(s.obstacle_since_at, s.own_since_at) ELSE s.own_since_at END
        AS since_at,
    CASE WHEN s.obstacle IS NOT NULL THEN s.obstacle_until_at ELSE s.own_until_at END AS until_at,
    s.obstacle,
    s.obstacle_reason,
    (SELECT count(*) FROM dialer_live l WHERE l.project_id = s.project_id) AS calls_up,
    (SELECT count(*) FROM dialer_claims l WHERE l.project_id = s.project_id AND l.attempt_id IS NULL) AS claimed,
    s.cases_waiting,
    s.counted_at
FROM (
    SELECT
        j.project_id, r.type, j.wanted, j.state AS own_state, j.reason AS own_reason, j.since_at AS own_since_at,
        j.until_at AS own_until_at, j.cases_waiting, j.counted_at,
        CASE
            WHEN r.project_id IS NULL THEN 'no_project'
            WHEN a.worker_id IS NULL OR a.lease_until <= now(6) THEN 'no_worker'
            WHEN a.state = 'down' THEN 'asterisk_down'
            WHEN j.state = 'failing' THEN 'project_failing'
            WHEN t.trunk IS NULL THEN 'project_failing'
            WHEN t.state = 'failing' THEN 'project_failing'
        END AS obstacle,
        CASE
            WHEN r.project_id IS NULL THEN 'no row in dialer_params: insert one for this project_id'
            WHEN a.worker_id IS NULL OR a.lease_until <= now(6) THEN
                concat('no live worker owns Asterisk ', r.asterisk, ': start one with `dialer run`')
            WHEN a.state = 'down' THEN concat('Asterisk ', a.asterisk, ' is down: ', coalesce(a.reason, 'unknown'))
            WHEN j.state = 'failing' THEN j.reason
            WHEN t.trunk IS NULL THEN concat('trunk ', r.trunk, ' has no row in dialer_trunks for Asterisk ',
                r.asterisk, ': insert one or change dialer_params.trunk')
            WHEN t.state = 'failing' THEN concat('trunk ', t.trunk, ' is failing: ', t.reason)
        END AS obstacle_reason,
        CASE
            WHEN a.state = 'down' THEN a.since_at
            WHEN j.state = 'failing' THEN j.since_at
            WHEN t.state = 'failing' THEN t.since_at
        END AS obstacle_since_at,
        CASE
            WHEN j.state = 'failing' THEN j.until_at
            WHEN t.state = 'failing' THEN t.retry_at
        END AS obstacle_until_at
    FROM dialer_projects j
    LEFT JOIN dialer_rules r ON r.project_id = j.project_id
    LEFT JOIN dialer_trunks t ON t.trunk = r.trunk AND t.asterisk = r.asterisk
    LEFT JOIN dialer_asterisks a ON a.asterisk = r.asterisk
) s
