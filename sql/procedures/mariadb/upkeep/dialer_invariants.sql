-- dialer_invariants: what must never be. Empty unless there is a fault in the dialer (or somebody has edited its
-- tables). Cheap enough to be read every second: it looks at the cases in hand, at the calls that are up, and at the
-- last thousand attempts, all through indexes.
CREATE OR REPLACE VIEW dialer_invariants AS
SELECT 'attempt_without_claim' AS kind, a.id, concat('attempt of case ', a.case_id,
    ' has no end and nobody has it in hand') AS detail
FROM dialer_calls a
WHERE a.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dialer_claims l WHERE l.case_id = a.case_id AND l.attempt_id = a.id)
  -- another case with its id by now may be in other hands
  AND EXISTS (SELECT 1 FROM dialer_clients c WHERE c.id = a.case_id AND c.inserted_at = a.case_inserted_at)
UNION ALL
SELECT 'attempt_overdue', a.id, concat('attempt begun at ', a.begun_at, ' could ring for ', a.dial_seconds,
    ' s and has no end, though ', a.asterisk, ' has been up for five minutes')
FROM dialer_calls a
JOIN dialer_asterisks o ON o.asterisk = a.asterisk
WHERE a.ended_at IS NULL
  AND a.answered_at IS NULL
  AND a.begun_at < now(6) - INTERVAL (300 + a.dial_seconds) SECOND
  AND o.state = 'up'
  AND o.since_at < now(6) - INTERVAL 5 MINUTE
  AND o.lease_until > now(6)
  -- ages by a virtual clock mean nothing
  AND coalesce(dialer_setting('virtual_clock'), '') <> 'true'
UNION ALL
SELECT 'claim_of_ended_attempt', l.case_id, concat('claim points to attempt ', l.attempt_id, ', which has ended')
FROM dialer_claims l
WHERE l.attempt_id IS NOT NULL
  -- it had no effect because somebody's transaction held the case; dialer_reap settles it
  AND NOT EXISTS (
    SELECT 1 FROM dialer_calls a WHERE a.id = l.attempt_id AND (a.ended_at IS NULL OR a.effect IS NULL))
UNION ALL
SELECT 'two_live_attempts_of_a_case', min(a.id), concat(count(*), ' attempts of case ', a.case_id, ' have no end')
FROM dialer_calls a
WHERE a.ended_at IS NULL
GROUP BY a.case_id, a.case_inserted_at
HAVING count(*) > 1
UNION ALL
SELECT 'two_live_attempts_of_a_number', min(a.id), concat(count(*), ' attempts of one number have no end')
FROM dialer_calls a
WHERE a.ended_at IS NULL
GROUP BY a.number
HAVING count(*) > 1
UNION ALL
SELECT 'live_attempt_not_counted', a.id, 'attempt has no end and no row in dialer_live'
FROM dialer_calls a
WHERE a.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dialer_live n WHERE n.number = a.number AND n.attempt_id = a.id)
UNION ALL
SELECT 'line_without_attempt', n.case_id, 'dialer_live counts a call that has ended or never was'
FROM dialer_live n
WHERE NOT EXISTS (SELECT 1 FROM dialer_calls a WHERE a.id = n.attempt_id AND a.ended_at IS NULL)
UNION ALL
SELECT 'line_of_another', a.id, concat('dialer_live counts attempt ', a.id, ' for project ', n.project_id, ' and trunk ',
    n.trunk, ' on ', n.asterisk, '; it is of ', a.project_id, ', ', a.trunk, ', ', a.asterisk)
FROM dialer_live n
JOIN dialer_calls a ON a.id = n.attempt_id
WHERE (n.case_id, n.project_id, n.trunk, n.asterisk) <> (a.case_id, a.project_id, a.trunk, a.asterisk)
UNION ALL
SELECT 'dial_count_disagrees', s.id, concat('dial_count is ', s.dial_count, ', the ledger has ', r.calls, ' calls')
FROM (
    SELECT c.case_id, c.project_id, c.phone_number, c.case_inserted_at, (
        SELECT count(*) FROM dialer_attempts a
        JOIN dialer_stat b ON b.id = a.case_id
        WHERE a.case_id = c.case_id AND a.outcome <> 'FAILED' AND a.ended_at >= b.counted_from
          AND a.project_id = c.project_id AND a.phone_number = c.phone_number
          AND a.case_inserted_at = c.case_inserted_at) AS calls
    FROM (SELECT a.case_id, a.project_id, a.phone_number, a.case_inserted_at
        FROM dialer_attempts a ORDER BY a.id DESC LIMIT 1000) c
    GROUP BY c.case_id, c.project_id, c.phone_number, c.case_inserted_at
) r
JOIN dialer_stat s ON s.id = r.case_id AND s.project_id = r.project_id AND s.phone_number = r.phone_number
    AND s.case_inserted_at = r.case_inserted_at
-- It may be more than the ledger has, since old attempts may have been deleted.
WHERE s.dial_count < r.calls
UNION ALL
SELECT 'settled_another_case', r.id, concat('attempt ', r.id, ' has settled case ', r.case_id,
    ', which is another one than was dialled')
FROM (SELECT a.id, a.case_id, a.case_inserted_at FROM dialer_attempts a ORDER BY a.id DESC LIMIT 1000) r
JOIN dialer_clients c ON c.id = r.case_id AND c.last_attempt_id = r.id
WHERE c.inserted_at <> r.case_inserted_at
UNION ALL
SELECT 'claim_not_mirrored', l.case_id, 'claimed, but checked is false'
FROM dialer_claims l
-- a lookup for each, so that no planner reads the whole list
WHERE NOT (
    SELECT c.checked FROM dialer_clients c WHERE c.id = l.case_id AND c.inserted_at = l.case_inserted_at)
UNION ALL
SELECT 'checked_without_claim', c.id, 'checked, but no claim stands behind it; dialer_reap heals it'
FROM dialer_clients c
WHERE c.checked = 1 AND NOT EXISTS (SELECT 1 FROM dialer_claims l WHERE l.case_id = c.id)
UNION ALL
SELECT 'claim_of_dead_worker', l.case_id, concat('claimed and not dialled by worker ', l.worker_id,
    ', which signed off or whose lease passed over a minute ago')
FROM dialer_claims l
LEFT JOIN dialer_workers w ON w.id = l.worker_id
WHERE l.attempt_id IS NULL
  AND (w.id IS NULL OR w.stopped_at IS NOT NULL
    OR w.lease_until < now(6) - INTERVAL 1 MINUTE)
UNION ALL
SELECT 'owner_signed_off', w.id, concat('worker ', w.id, ' has signed off and still owns ', o.asterisk)
FROM dialer_asterisks o
JOIN dialer_workers w ON w.id = o.worker_id
WHERE w.stopped_at IS NOT NULL AND o.lease_until > now(6)
UNION ALL
SELECT b.kind, b.id, b.detail FROM dialer_rule_breaches b
