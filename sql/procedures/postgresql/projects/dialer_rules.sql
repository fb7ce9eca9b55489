-- dialer_rules: the parameters of each project as the dialer reads them, with defaults filled in.
-- dial_seconds: a dial_time under 1000 can only be seconds (the original's two schemas disagree). list_until: the instant
-- from which its list is too old (scrubbed_at, scrub_days), NULL: never; list_words: a sentence about it.
CREATE OR REPLACE VIEW dialer_rules AS
SELECT
    project_id,
    coalesce(type, 'progressive') AS type,
    coalesce(lines, 0) AS lines,
    (CASE WHEN dial_time < 1000 THEN dial_time ELSE dial_time / 1000.0 END)::numeric(9, 3) AS dial_seconds,
    coalesce(case_limit, 500) AS case_limit,
    coalesce(sort, '2:1') AS sort,
    exten,
    context,
    coalesce(queue, project_id) AS queue,
    -- A subquery, so that it is looked up once per statement, not for each row.
    coalesce(zone, (SELECT dialer_setting('server_zone'))) AS zone,
    coalesce(asterisk, 'default') AS asterisk,
    coalesce(trunk, 'default') AS trunk,
    caller_id,
    abandon_seconds,
    abandon_target,
    abandon_hours,
    abandon_days,
    abandon_action,
    calls_per_agent,
    predictive_agents,
    dial_ratio,
    amd,
    machine_action,
    machine_period,
    priority,
    client,
    purpose,
    country,
    zone_by,
    most_attempts,
    message,
    message_field,
    key_repeat,
    key_agent,
    key_opt_out,
    opt_out_scope,
    scrub_blocks,
    CASE WHEN scrub_days IS NOT NULL THEN coalesce(scrubbed_at + scrub_days * interval '24 hours', '1970-01-01 00:00:00Z')
    END AS list_until,
    coalesce('the list was compared with the do-not-call registry on ' || to_char(scrubbed_at, 'YYYY-MM-DD'),
        'nobody has noted when the list was compared with the do-not-call registry')
        || ', and it may be used for ' || scrub_days || ' days from then on (dialer_params.scrubbed_at, scrub_days)' AS list_words
FROM dialer_params
WHERE project_id IS NOT NULL
