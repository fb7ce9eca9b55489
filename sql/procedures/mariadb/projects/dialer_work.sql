-- dialer_work(p_asterisk) -> one row per project that may be dialled on an Asterisk
-- What the owner of the Asterisk has to know in each turn: the rules, calls up and cases claimed, and what the trunk
-- has left. Projects that serve agents belong to the Asterisk with their queue, autoinforming ones to each Asterisk
-- that has their trunk. room: the lines left here, of the project and of its trunk (dialer_attempt_begin has the last
-- word, and looks after calls per second); NULL: there is no such trunk. While all caller IDs of the project are used up
-- it is 0, or 1 if some cases may still have another one (dialer_caller_id). unfit: what is missing here
-- (dialer_fitness), to be checked again at unfit_until.
CREATE OR REPLACE PROCEDURE dialer_work(p_asterisk varchar(400))
READS SQL DATA
SELECT r.project_id, r.type, r.queue, r.exten, r.context, r.trunk,
    least(
        t.lines_free,
        IF(t.state = 'failing', 1, t.lines_free),
        IF(r.`lines` > 0, greatest(0, r.`lines` - (
            SELECT count(*) FROM dialer_live l WHERE l.project_id = r.project_id)), t.lines_free),
        IF(EXISTS (SELECT 1 FROM dialer_caller_ids) AND dialer_caller_id_until(r.project_id, dialer_now()) IS NOT NULL,
            IF(EXISTS (
                SELECT 1 FROM dialer_caller_id_rows o
                WHERE o.project_id = r.project_id AND o.region IS NULL AND o.prefix IS NULL), 0, 1),
            t.lines_free)) AS room,
    t.state = 'failing' AS trunk_failing, t.retry_at AS trunk_retry_at, j.state, j.until_at, f.reason IS NOT NULL AS unfit, f.until_at AS unfit_until,
    r.dial_seconds, r.abandon_seconds, r.abandon_target, r.calls_per_agent, r.predictive_agents, r.dial_ratio, r.amd, r.priority
FROM dialer_projects j
JOIN dialer_rules r ON r.project_id = j.project_id
LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = p_asterisk
LEFT JOIN dialer_fitness f ON f.project_id = r.project_id AND f.asterisk = p_asterisk
WHERE j.wanted = 'start'
  AND CASE WHEN r.type = 'autoinforming' THEN t.trunk IS NOT NULL ELSE r.asterisk = p_asterisk END
ORDER BY r.project_id
