-- dialer_warnings: things an operator should look at, each with a remedy.
CREATE OR REPLACE VIEW dialer_warnings AS
SELECT 'no_project'::varchar AS kind, min(c.id) AS id, ('cases of project ' || c.project_id
    || ' wait, but it has no row in dialer_params')::varchar AS detail,
    'insert one, or correct project_id'::varchar AS remedy
FROM dialer_clients c
WHERE NOT c.used AND NOT EXISTS (SELECT FROM dialer_rules r WHERE r.project_id = c.project_id)
GROUP BY c.project_id
UNION ALL
SELECT 'no_redials', min(c.id), count(*) || ' cases of project ' || c.project_id
    || ' have call_back, no call_back_period and no row of dialer_retries: they are not redialled',
    'write call_back_period, like 1,1, or rows of dialer_retries'
FROM dialer_clients c
WHERE NOT c.used AND c.call_back AND coalesce(btrim(c.call_back_period), '') = ''
  AND NOT EXISTS (
    SELECT FROM dialer_project_retries t
    WHERE t.project_id = c.project_id AND t.outcome IS NOT NULL
      AND (t.region IS NULL OR t.region IN (
        c.region, c.number_region, split_part(c.region, '-', 1), split_part(c.number_region, '-', 1))))
GROUP BY c.project_id
UNION ALL
SELECT 'retries_without_end', min(t.id), count(*) || ' rows of dialer_retries have no most, and project ' || t.project_id
    || ' has no most_attempts: its cases may be called without end',
    'write most, or dialer_params.most_attempts'
FROM dialer_project_retries t
WHERE t.most IS NULL AND t.most_attempts IS NULL
GROUP BY t.project_id
UNION ALL
SELECT 'dial_time_in_seconds', p.id, 'dial_time ' || p.dial_time || ' of project ' || p.project_id
    || ' is read as seconds', 'write milliseconds'
FROM dialer_params p
WHERE p.dial_time < 1000
UNION ALL
SELECT 'project_failing', p.id, s.project_id || ': ' || s.reason, 'do what the detail says; it is tried again by itself'
FROM dialer_project_states s
JOIN dialer_params p ON p.project_id = s.project_id
WHERE s.state = 'failing'
UNION ALL
SELECT 'claims_slow', p.id, 'project ' || j.project_id || ' gets no cases since '
    || to_char(j.claims_slow_at, 'YYYY-MM-DD HH24:MI:SS') || ': ' || j.claims_slow,
    'commit or end the long transaction on its cases; on MariaDB have it read committed, or it holds each row that it looks at'
FROM dialer_projects j
JOIN dialer_params p ON p.project_id = j.project_id
WHERE j.claims_slow IS NOT NULL AND j.wanted = 'start'
UNION ALL
SELECT CASE WHEN b.step = 'claim' THEN 'claims_slow' ELSE b.kind || '_trouble' END, p.id,
    b.kind || ' ' || b.subject || ' on ' || b.asterisk || ', since ' || to_char(b.since_at, 'YYYY-MM-DD HH24:MI:SS')
        || ': ' || b.detail,
    'it is tried again by itself; commit or end a long transaction that is in its way, correct the row that it names'
FROM dialer_troubles b
LEFT JOIN dialer_params p ON b.kind = 'project' AND p.project_id = b.subject
WHERE b.kind = 'case' OR b.told_at > dialer_now() - interval '5 minutes'
UNION ALL
SELECT 'ledger_held', min(a.id), count(*) || ' attempts that have ended are not in dialer_attempts yet: '
    || coalesce(max(a.not_posted), 'a worker moves them'),
    'commit or end the transaction that holds dialer_attempts or dialer_stat, or look at a trigger of yours on them'
FROM dialer_calls a
WHERE a.effect IS NOT NULL
HAVING min(a.ended_at) < dialer_now() - interval '1 minute'
UNION ALL
SELECT 'window_unreadable', min(c.id), count(*) || ' cases of project ' || c.project_id || ' are never dialled: '''
    || c.allowed_start || ''' to ''' || c.allowed_stop || ''' is no call window',
    'write times of day like 09:00:00 into allowed_start and allowed_stop'
FROM dialer_clients c
WHERE NOT c.used
GROUP BY c.project_id, c.allowed_start, c.allowed_stop
HAVING dialer_window_next('Z', c.allowed_start, c.allowed_stop, '2026-01-01 00:00:00+00') IS NULL
UNION ALL
SELECT 'trunk_failing', NULL, 'trunk ' || t.trunk || ' on ' || t.asterisk || ': ' || t.reason,
    'it is tried again by itself; a change of dial_template tries it at once'
FROM dialer_stat_trunk t
WHERE t.state = 'failing'
UNION ALL
SELECT 'rings_too_short', p.id, 'project ' || p.project_id || ' is predictive and lets phones ring for '
    || r.dial_seconds || ' s', 'the law asks for 15 s or four rings (16 CFR 310.4(b)(4)(ii)): write dial_time 15000 or more'
FROM dialer_params p
JOIN dialer_rules r ON r.project_id = p.project_id
WHERE r.type = 'predictive' AND r.dial_seconds < 15
UNION ALL
SELECT 'abandon_target_high', p.id, 'abandon_target of project ' || p.project_id || ' is ' || p.abandon_target
    || ' per cent', 'the law allows 3 (16 CFR 310.4(b)(4)(i)): write 3 or less'
FROM dialer_params p
WHERE p.type = 'predictive' AND p.abandon_target > 3
UNION ALL
SELECT 'abandon_target_exceeded', p.id, 'project ' || p.project_id || ' abandoned ' || m.abandoned || ' of '
    || m.people || ' people in its last ' || m.span || ': ' || m.percent || ' per cent, its target is '
    || p.abandon_target, 'it dials only for free agents until the rate is under the target'
FROM dialer_stat_pacing t
JOIN dialer_params p ON p.project_id = t.project_id
CROSS JOIN LATERAL (VALUES
    (t.day_abandoned, t.day_connected + t.day_abandoned, round(100 * t.day_rate, 3), p.abandon_hours || ' hours'),
    (t.days_abandoned, t.days_connected + t.days_abandoned, round(100 * t.days_rate, 3), p.abandon_days || ' days')
) m (abandoned, people, percent, span)
WHERE m.percent > p.abandon_target
UNION ALL
SELECT 'no_opt_out', p.id, 'project ' || p.project_id || ' plays a message, and offers no key to opt out of further calls',
    'the law asks for one in recorded sales calls (16 CFR 310.4(b)(1)(v)(B)): write key_opt_out, and name the key in the recording'
FROM dialer_params p
WHERE p.type = 'autoinforming' AND p.key_opt_out IS NULL
UNION ALL
SELECT 'list_too_old', p.id, 'project ' || p.project_id || CASE
        WHEN r.scrub_blocks THEN ' makes promised callbacks alone: '
        ELSE ' calls people of a list that is too old: '
    END || r.list_words,
    'compare its cases with the registry, write those that are on it into dialer_dnc, then the instant into dialer_params.scrubbed_at'
FROM dialer_params p
JOIN dialer_rules r ON r.project_id = p.project_id
WHERE r.list_until <= dialer_now()
UNION ALL
SELECT 'limit_forgets', m.id, dialer_limit_words(m.id) || ' does not count attempts that were deleted, the latest of them begun at '
    || to_char(max(f.begun_at), 'YYYY-MM-DD HH24:MI:SS') || coalesce(': until '
    || to_char(max(f.begun_at) + b.minutes * interval '1 minute', 'YYYY-MM-DD HH24:MI:SS') || ' it may permit calls that it forbids', ''),
    'keep attempts for as long as limits look back; insert these again if you have them; if they matter no more, delete the rows of dialer_forgotten and dialer_archives'
FROM dialer_limits m
CROSS JOIN LATERAL (
    -- How far it looks back; an hour more, since a local day may have 25.
    SELECT coalesce(m.period_minutes, 60 + CASE m.local_period WHEN 'day' THEN 1440 WHEN 'week' THEN 10080 WHEN 'month' THEN 44640 END)
        AS minutes
) b
JOIN (
    SELECT project_id, begun_at, NULL AS archived_at FROM dialer_forgotten
    UNION ALL
    SELECT project_id, begun_at, started_at FROM dialer_archives WHERE begun_at IS NOT NULL
) f ON m.project_id IS NULL OR m.project_id = f.project_id
LEFT JOIN dialer_params q ON q.project_id = f.project_id
WHERE (m.client IS NULL OR m.client = q.client)
  AND (m.purpose IS NULL OR m.purpose = q.purpose)
  AND (b.minutes IS NULL OR f.begun_at > dialer_now() - b.minutes * interval '1 minute')
  -- An archive leaves what the limits of its time need.
  AND (f.archived_at IS NULL OR m.added_at > f.archived_at
    OR q.scoped_at > f.archived_at AND coalesce(m.client, m.purpose) IS NOT NULL)
GROUP BY m.id, b.minutes
UNION ALL
SELECT 'call_never_made', c.id, 'case ' || c.id || ' is used up: ten calls in a row could not be made',
    'look at dialer_attempts.detail, then clear used'
FROM dialer_clients c
WHERE c.used AND c.failures >= 10
UNION ALL
SELECT 'server_zone_fixed', NULL, 'server_zone is ' || s.value || ', an offset that knows no summer time',
    'write the zone''s IANA name, like Europe/Berlin, into dialer_settings; this server''s own was not to be found out'
FROM dialer_settings s
WHERE s.name = 'server_zone' AND dialer_offset(s.value) <> 0
