-- dialer_invariants: what must never be. Empty, or there is a fault in the dialer (or a hand in its tables).
CREATE OR REPLACE VIEW dialer_invariants AS
SELECT 'attempt_without_claim' AS kind, a.id, concat('attempt of case ', a.case_id,
    ' has no end and nobody has it in hand') AS detail
FROM dialer_attempts a
WHERE a.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dialer_claims l WHERE l.attempt_id = a.id)
UNION ALL
SELECT 'claim_of_ended_attempt', l.case_id, concat('claim points to attempt ', l.attempt_id, ', which has ended')
FROM dialer_claims l
WHERE l.attempt_id IS NOT NULL
  -- without an effect: the case was held by somebody's transaction, dialer_reap settles it
  AND NOT EXISTS (
    SELECT 1 FROM dialer_attempts a WHERE a.id = l.attempt_id AND (a.ended_at IS NULL OR a.effect IS NULL))
UNION ALL
SELECT 'two_live_attempts_of_a_case', min(a.id), concat(count(*), ' attempts of case ', a.case_id, ' have no end')
FROM dialer_attempts a
WHERE a.ended_at IS NULL
GROUP BY a.case_id
HAVING count(*) > 1
UNION ALL
SELECT 'two_live_attempts_of_a_number', min(a.id), concat(count(*), ' attempts of one number have no end')
FROM dialer_attempts a
WHERE a.ended_at IS NULL
GROUP BY a.phone_number
HAVING count(*) > 1
UNION ALL
SELECT 'live_attempt_not_counted', a.id, 'attempt has no end and no row in dialer_live'
FROM dialer_attempts a
WHERE a.ended_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dialer_live n WHERE n.attempt_id = a.id)
UNION ALL
SELECT 'line_without_attempt', n.case_id, 'dialer_live counts a call that has ended or never was'
FROM dialer_live n
WHERE NOT EXISTS (SELECT 1 FROM dialer_attempts a WHERE a.id = n.attempt_id AND a.ended_at IS NULL)
UNION ALL
SELECT 'claim_not_mirrored', l.case_id, 'claimed, but checked is false'
FROM dialer_claims l
JOIN dialer_clients c ON c.id = l.case_id
WHERE NOT c.checked
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
