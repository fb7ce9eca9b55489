-- dialer_work(p_asterisk) -> one row per project that may be dialled on an Asterisk
-- What its owner has to know each turn: the rules, what is up and claimed, what the trunk has left.
-- Projects that serve agents belong to the Asterisk that holds their queue; autoinforming ones to each that has
-- their trunk. trunk_lines NULL: there is no such trunk. unfit: something is missing here (dialer_fitness), to be
-- looked at again at unfit_until.
CREATE OR REPLACE FUNCTION dialer_work(p_asterisk varchar)
RETURNS TABLE (
    project_id varchar,
    type varchar,
    lines bigint,
    queue varchar,
    exten varchar,
    context varchar,
    trunk varchar,
    trunk_lines int,
    trunk_live bigint,
    trunk_failing bool,
    trunk_retry_at timestamptz,
    live bigint,
    state varchar,
    until_at timestamptz,
    unfit bool,
    unfit_until timestamptz,
    dial_seconds numeric,
    abandon_seconds numeric,
    abandon_target numeric,
    abandon_hours int,
    abandon_days int,
    calls_per_agent numeric,
    predictive_agents int,
    dial_ratio numeric,
    amd bool,
    priority int
)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT r.project_id, r.type, r.lines, r.queue, r.exten, r.context,
        r.trunk, t.max_lines, t.lines_in_use, t.state = 'failing', t.retry_at,
        (SELECT count(*) FROM dialer_live l WHERE l.project_id = r.project_id),
        j.state, j.until_at, f.reason IS NOT NULL, f.until_at,
        r.dial_seconds, r.abandon_seconds, r.abandon_target, r.abandon_hours, r.abandon_days,
        r.calls_per_agent, r.predictive_agents, r.dial_ratio, r.amd, r.priority
    FROM dialer_projects j
    JOIN dialer_rules r ON r.project_id = j.project_id
    LEFT JOIN dialer_stat_trunk t ON t.trunk = r.trunk AND t.asterisk = p_asterisk
    LEFT JOIN dialer_fitness f ON f.project_id = r.project_id AND f.asterisk = p_asterisk
    WHERE j.wanted = 'start'
      AND CASE WHEN r.type = 'autoinforming' THEN t.trunk IS NOT NULL ELSE r.asterisk = p_asterisk END
    ORDER BY r.project_id
$$
