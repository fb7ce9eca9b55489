-- dialer_apart: case_id of each case that may have another reason than the others of its call window that wait for the
-- same thing: it is in hand, or its number is in a call or was abandoned lately, or a rule held it until now. For
-- dialer_why_count. Used ones may be among them. (dialer_gate says the same of one case: stands_apart.)
CREATE OR REPLACE VIEW dialer_apart AS
SELECT l.case_id FROM dialer_claims l
UNION
SELECT c.id FROM dialer_clients c WHERE c.checked
UNION
SELECT c.id FROM dialer_live n JOIN dialer_clients c ON c.number = n.number
UNION
SELECT c.id
FROM dialer_abandoned b
JOIN dialer_clients c ON c.number = b.number
WHERE b.until_at > dialer_now()
UNION
SELECT h.id
FROM (SELECT c.project_id, c.waits_for FROM dialer_clients c GROUP BY c.project_id, c.waits_for) p
STRAIGHT_JOIN dialer_clients h FORCE INDEX (dialer_clients_held) ON h.project_id = p.project_id
    AND h.waits_for = p.waits_for AND h.held_until <= dialer_now()
WHERE p.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
