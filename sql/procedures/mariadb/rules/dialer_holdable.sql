-- dialer_holdable: case_id of each waiting case that a rule on numbers may keep back, or did until now: its number stands in
-- dialer_dnc, rests, or was called since the longest period of dialer_limits began; or it is held. All the others have no
-- such reason, and dialer_screen need not ask dialer_gate about them: to look here costs a tenth of that.
CREATE OR REPLACE VIEW dialer_holdable AS
SELECT c.id AS case_id
FROM dialer_clients c
WHERE NOT c.used AND NOT c.checked AND (
    c.held_for IS NOT NULL
    OR EXISTS (
        SELECT 1 FROM dialer_dnc_lengths z
        STRAIGHT_JOIN dialer_dnc d ON d.number = IF(z.length = 0, c.number, concat(left(c.number, z.length), '*'))
        WHERE d.until_at IS NULL OR d.until_at > dialer_now())
    OR EXISTS (SELECT 1 FROM dialer_number_pauses p WHERE p.number = c.number AND p.until_at > dialer_now())
    OR EXISTS (
        SELECT 1 FROM dialer_attempts a
        WHERE a.number = c.number AND a.begun_at > (
            SELECT IF(count(*) = count(m.period_minutes),
                dialer_now() - INTERVAL max(m.period_minutes) MINUTE, TIMESTAMP'1970-01-02 00:00:00')
            FROM dialer_limits m))
    OR EXISTS (SELECT 1 FROM dialer_calls a WHERE a.number = c.number)
    OR EXISTS (SELECT 1 FROM dialer_limits m WHERE m.keyed_by <> 'number'))
