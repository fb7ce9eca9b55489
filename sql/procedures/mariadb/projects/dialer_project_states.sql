-- dialer_project_states: one row per project, its state as a reader should see it.
-- It combines what was asked and found (dialer_projects) with what stands in the way: no live worker, Asterisk down,
-- something missing there (dialer_fitness), trunk missing or failing, trouble with this very project (dialer_troubles).
-- A project without agents is dialled on each Asterisk that has its trunk; it is failing if it cannot be dialled on any
-- of them. asterisk: the one that the row is about.
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
        WHEN s.wanted = 'start' AND s.own_state <> 'finished' THEN s.obstacle_reason
        WHEN s.wanted = 'start' AND s.list_is_old AND EXISTS (
            SELECT 1 FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
            WHERE c.project_id = s.project_id AND c.waits_as IN ('fresh', 'redial', 'scheduled')) THEN s.list_words
        WHEN s.wanted = 'start' THEN (
            SELECT concat('rules keep back the ', count(*), ' cases that are left, see dialer_why_count')
            FROM dialer_clients h FORCE INDEX (dialer_clients_held)
            WHERE h.project_id = s.project_id AND h.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
            HAVING count(*) > 0)
    END AS reason,
    CASE WHEN s.obstacle IS NOT NULL THEN coalesce(s.obstacle_since_at, s.own_since_at) ELSE s.own_since_at END
        AS since_at,
    CASE WHEN s.obstacle IS NOT NULL THEN s.obstacle_until_at ELSE s.own_until_at END AS until_at,
    s.obstacle,
    s.obstacle_reason,
    (SELECT count(*) FROM dialer_live l WHERE l.project_id = s.project_id) AS calls_up,
    (SELECT count(*) FROM dialer_claims l WHERE l.project_id = s.project_id AND l.attempt_id IS NULL) AS claimed,
    s.cases_waiting,
    s.counted_at,
    s.asterisk
FROM (
    SELECT
        k.*,
        CASE k.fault
            WHEN 'no_project' THEN 'no row in dialer_params: insert one for this project_id'
            WHEN 'no_worker' THEN concat('no live worker owns Asterisk ', k.asterisk,
                ': start `dialer run` with that Asterisk in its settings')
            WHEN 'asterisk_down' THEN concat('Asterisk ', k.asterisk, ' is down: ', coalesce(k.down_reason, 'unknown'))
            WHEN 'unfit' THEN k.unfit_reason
            WHEN 'no_trunk' THEN concat('trunk ', k.trunk, ' has no row in dialer_trunks for Asterisk ', k.asterisk,
                ': insert one or change dialer_params.trunk')
            WHEN 'trunk_failing' THEN concat('trunk ', k.trunk, ' is failing: ', k.trunk_reason)
            WHEN 'trouble' THEN k.trouble
        END AS obstacle_reason,
        IF(k.fault IN ('unfit', 'no_trunk', 'trunk_failing', 'trouble'), 'project_failing', k.fault) AS obstacle,
        CASE k.fault
            WHEN 'asterisk_down' THEN k.down_since_at
            WHEN 'unfit' THEN k.unfit_since_at
            WHEN 'trunk_failing' THEN k.trunk_since_at
            WHEN 'trouble' THEN k.trouble_since_at
        END AS obstacle_since_at,
        CASE k.fault WHEN 'unfit' THEN k.unfit_until_at WHEN 'trunk_failing' THEN k.trunk_retry_at END
            AS obstacle_until_at,
        -- First an Asterisk where it can be dialled; otherwise the one that its parameters name.
        row_number() OVER (PARTITION BY k.project_id ORDER BY
            CASE k.fault WHEN 'no_worker' THEN 3 WHEN 'asterisk_down' THEN 2 WHEN 'no_project' THEN 0 ELSE k.fault IS NOT NULL END,
            k.asterisk <> k.own_asterisk, k.asterisk) AS place
    FROM (
        SELECT
            p.project_id, r.type, r.trunk, r.list_words, r.scrub_blocks AND r.list_until <= dialer_now() AS list_is_old,
            coalesce(j.wanted, 'stop') AS wanted, j.state AS own_state,
            j.since_at AS own_since_at, j.until_at AS own_until_at, j.cases_waiting, j.counted_at,
            coalesce(r.asterisk, 'default') AS own_asterisk,
            coalesce(d.asterisk, r.asterisk, 'default') AS asterisk,
            o.reason AS down_reason, o.since_at AS down_since_at,
            f.reason AS unfit_reason, f.since_at AS unfit_since_at, f.until_at AS unfit_until_at,
            t.reason AS trunk_reason, t.since_at AS trunk_since_at, t.retry_at AS trunk_retry_at,
            m.detail AS trouble, m.since_at AS trouble_since_at,
            CASE
                WHEN r.project_id IS NULL THEN 'no_project'
                WHEN o.worker_id IS NULL OR NOT dialer_lease_alive(o.lease_until, o.lease_seconds) THEN 'no_worker'
                WHEN o.state = 'down' THEN 'asterisk_down'
                WHEN f.reason IS NOT NULL THEN 'unfit'
                WHEN t.trunk IS NULL THEN 'no_trunk'
                WHEN t.state = 'failing' THEN 'trunk_failing'
                WHEN m.detail IS NOT NULL THEN 'trouble'
            END AS fault
        FROM (SELECT project_id FROM dialer_rules UNION SELECT project_id FROM dialer_projects) p
        LEFT JOIN dialer_projects j ON j.project_id = p.project_id
        LEFT JOIN dialer_rules r ON r.project_id = p.project_id
        LEFT JOIN dialer_trunks d ON d.trunk = r.trunk AND r.type = 'autoinforming'
        LEFT JOIN dialer_asterisks o ON o.asterisk = coalesce(d.asterisk, r.asterisk, 'default')
        LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = coalesce(d.asterisk, r.asterisk, 'default')
        LEFT JOIN dialer_fitness f ON f.project_id = p.project_id
            AND f.asterisk = coalesce(d.asterisk, r.asterisk, 'default')
        LEFT JOIN (
            SELECT b.subject, b.asterisk, b.detail, b.since_at,
                row_number() OVER (PARTITION BY b.subject, b.asterisk ORDER BY b.since_at) AS place
            FROM dialer_troubles b
            WHERE b.kind = 'project' AND b.told_at > dialer_now() - INTERVAL 5 MINUTE
        ) m ON m.subject = p.project_id AND m.asterisk = coalesce(d.asterisk, r.asterisk, 'default') AND m.place = 1
    ) k
) s
WHERE s.place = 1
