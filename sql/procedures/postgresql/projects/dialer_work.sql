-- dialer_work(p_asterisk) -> one row per project that may be dialled on an Asterisk
-- What the owner of the Asterisk has to know in each turn: the rules, calls up and cases claimed, and what the trunk
-- has left. Projects that serve agents belong to the Asterisk with their queue, autoinforming ones to each Asterisk
-- that has their trunk. room: the lines left here, of the project and of its trunk (dialer_attempt_begin has the last
-- word, and looks after calls per second); NULL: there is no such trunk. While all caller IDs of the project are used up
-- it is 0, or 1 if some cases may still have another one (dialer_caller_id). unfit: what is missing here
-- (dialer_fitness), to be checked again at unfit_until.
CREATE OR REPLACE FUNCTION dialer_work(p_asterisk varchar)
RETURNS TABLE (
    project_id varchar,
    type varchar,
    queue varchar,
    exten varchar,
    context varchar,
    trunk varchar,
    room int,
    trunk_failing bool,
    trunk_retry_at timestamptz,
    state varchar,
    until_at timestamptz,
    unfit bool,
    unfit_until timestamptz,
    dial_seconds numeric,
    abandon_seconds numeric,
    abandon_target numeric,
    calls_per_agent numeric,
    predictive_agents int,
    dial_ratio numeric,
    amd bool,
    priority int
)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT r.project_id, r.type, r.queue, r.exten, r.context, r.trunk,
        least(
            t.lines_free,
            CASE WHEN t.state = 'failing' THEN 1 END,
            CASE WHEN t.trunk IS NOT NULL AND r.lines > 0 THEN greatest(0, r.lines - (
                SELECT count(*) FROM dialer_live l WHERE l.project_id = r.project_id)) END,
            CASE WHEN t.trunk IS NOT NULL AND i.until_at IS NOT NULL THEN CASE WHEN EXISTS (
                SELECT FROM dialer_caller_id_rows o
                WHERE o.project_id = r.project_id AND o.region IS NULL AND o.prefix IS NULL) THEN 0 ELSE 1 END END)::int,
        t.state = 'failing', t.retry_at, j.state, j.until_at, f.reason IS NOT NULL, f.until_at,
        r.dial_seconds, r.abandon_seconds, r.abandon_target, r.calls_per_agent, r.predictive_agents, r.dial_ratio,
        r.amd, r.priority
    FROM dialer_projects j
    JOIN dialer_rules r ON r.project_id = j.project_id
    LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = p_asterisk
    LEFT JOIN LATERAL (
        SELECT dialer_caller_id_until(r.project_id, dialer_now()) AS until_at
        WHERE EXISTS (SELECT FROM dialer_caller_ids)
    ) i ON true
    LEFT JOIN dialer_fitness f ON f.project_id = r.project_id AND f.asterisk = p_asterisk
    WHERE j.wanted = 'start'
      AND CASE WHEN r.type = 'autoinforming' THEN t.trunk IS NOT NULL ELSE r.asterisk = p_asterisk END
    ORDER BY r.project_id
$$
