-- dialer_rule_breaches: calls that a rule on their number forbade when they began (dialer_dnc, dialer_limits,
-- dialer_number_pauses). Empty unless there is a fault in the dialer; dialer_invariants includes it. It looks at the
-- calls of dialer_judged alone, through indexes. Judged is only what was surely so at that time:
-- - A rule counts from ten minutes after it was written or changed (added_at): until its transaction was committed
--   nobody could know of it. What the dialer itself has written, opt-outs and pauses, counts after one minute. Whoever
--   writes rules in a longer transaction sees calls here that began meanwhile.
-- - Where a rule goes by client, purpose, region or the local day, the project and the case must be as they were.
-- - Rules that have been deleted, and pauses that are over and gone, have been broken by nobody.
CREATE OR REPLACE VIEW dialer_rule_breaches AS
SELECT 'called_though_do_not_call' AS kind, j.id,
    concat('case ', j.case_id, ' of project ', j.project_id, ' was called at ', j.begun_at,
        ', though dialer_dnc has its number (row ', d.id, ')') AS detail
FROM dialer_judged j
CROSS JOIN dialer_dnc_lengths z
JOIN dialer_dnc d ON d.number = IF(z.length = 0, j.number, concat(left(j.number, z.length), '*'))
WHERE d.added_at <= j.begun_at - INTERVAL IF(d.attempt_id IS NULL, 10, 1) MINUTE
  AND (d.from_at IS NULL OR d.from_at <= j.begun_at)
  AND (d.until_at IS NULL OR d.until_at > j.begun_at)
  AND (d.project_id IS NULL OR d.project_id = j.project_id)
  AND (d.client IS NULL OR d.client = j.client AND j.has_scope)
  AND (d.purpose IS NULL OR d.purpose = j.purpose AND j.has_scope)
  AND (d.region IS NULL
    OR d.region IN (j.region, left(j.region, 2), j.number_region, left(j.number_region, 2)))
UNION ALL
SELECT 'called_over_a_limit', j.id,
    concat('case ', j.case_id, ' of project ', j.project_id, ' was called at ', j.begun_at,
        ', though ', dialer_limit_calls(m.id, j.id),
        ' calls before it had filled row ', m.id, ' of dialer_limits (', m.most, ')')
FROM dialer_judged j
JOIN dialer_limits m ON m.added_at <= j.begun_at - INTERVAL 10 MINUTE
JOIN (
    SELECT id, coalesce(period_minutes,
        CASE local_period WHEN 'day' THEN 4320 WHEN 'week' THEN 14400 WHEN 'month' THEN 48960 ELSE 26280000 END
        ) AS minutes
    FROM dialer_limits
) l ON l.id = m.id
WHERE (m.project_id IS NULL OR m.project_id = j.project_id)
  AND (m.client IS NULL OR m.client = j.client AND j.has_scope)
  AND (m.purpose IS NULL OR m.purpose = j.purpose AND j.has_scope)
  AND (m.region IS NULL
    OR m.region IN (j.region, left(j.region, 2), j.number_region, left(j.number_region, 2)))
  AND (m.callbacks OR NOT j.is_promised)
  AND (m.local_period IS NULL OR j.has_case AND j.has_scope)
  -- A count that costs little leaves out nearly all; the minutes are more than such a period can have.
  AND (m.keyed_by = 'case' OR (
        SELECT count(*) FROM dialer_attempts n
        WHERE n.number = j.number AND n.id < j.id AND n.begun_at > j.begun_at - INTERVAL l.minutes MINUTE
    ) + (
        SELECT count(*) FROM dialer_calls n WHERE n.number = j.number AND n.id < j.id
    ) >= m.most)
  AND (m.keyed_by = 'number' OR (
        SELECT count(*) FROM dialer_attempts n
        WHERE n.case_id = j.case_id AND n.id < j.id AND n.begun_at > j.begun_at - INTERVAL l.minutes MINUTE
    ) + (
        SELECT count(*) FROM dialer_calls n WHERE n.case_id = j.case_id AND n.id < j.id
    ) >= m.most)
  AND dialer_limit_calls(m.id, j.id) >= m.most
UNION ALL
SELECT 'called_in_a_pause', j.id,
    concat('case ', j.case_id, ' of project ', j.project_id, ' was called at ', j.begun_at,
        ', though attempt ', u.attempt_id, ' lets its number rest until ', u.until_at)
FROM dialer_judged j
JOIN dialer_number_pauses u ON u.number = j.number
WHERE u.added_at <= j.begun_at - INTERVAL 1 MINUTE
  AND u.until_at > j.begun_at
  AND u.attempt_id <> j.id
  AND (u.project_id IS NULL OR u.project_id = j.project_id)
  AND (u.client IS NULL OR u.client = j.client AND j.has_scope)
  AND (u.purpose IS NULL OR u.purpose = j.purpose AND j.has_scope)
  AND (u.region IS NULL
    OR u.region IN (j.region, left(j.region, 2), j.number_region, left(j.number_region, 2)))
  AND (u.callbacks OR NOT j.is_promised)
