-- dialer_work(p_asterisk) -> one row per project that may be dialled on an Asterisk
-- What its owner has to know each turn: the rules, what is up and claimed, what the trunk has left.
-- Projects that serve agents belong to the Asterisk that holds their queue; autoinforming ones to each that has
-- their trunk. trunk_lines NULL: there is no such trunk. unfit: something is missing here (dialer_fitness), to be
-- looked at again at unfit_until.
CREATE OR REPLACE PROCEDURE dialer_work(p_asterisk varchar(400))
READS SQL DATA
SELECT r.project_id, r.type, r.`lines`, r.queue, r.exten, r.context,
    r.trunk, t.max_lines AS trunk_lines, t.lines_in_use AS trunk_live, t.state = 'failing' AS trunk_failing, t.retry_at AS trunk_retry_at,
    (SELECT count(*) FROM dialer_live l WHERE l.project_id = r.project_id) AS live,
    j.state, j.until_at, f.reason IS NOT NULL AS unfit, f.until_at AS unfit_until,
    r.dial_seconds, r.abandon_seconds, r.abandon_target, r.abandon_hours, r.abandon_days,
    r.calls_per_agent, r.predictive_agents, r.dial_ratio, r.amd, r.priority
FROM dialer_projects j
JOIN dialer_rules r ON r.project_id = j.project_id
LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = p_asterisk
LEFT JOIN dialer_fitness f ON f.project_id = r.project_id AND f.asterisk = p_asterisk
WHERE j.wanted = 'start'
  AND CASE WHEN r.type = 'autoinforming' THEN t.trunk IS NOT NULL ELSE r.asterisk = p_asterisk END
ORDER BY r.project_id
