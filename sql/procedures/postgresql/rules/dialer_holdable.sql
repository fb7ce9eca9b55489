-- dialer_holdable: case_id of each waiting case that a rule on numbers may keep back, or did until now: its number stands in
-- dialer_dnc, rests, or was called since the longest period of dialer_limits began; or it is held. All the others have no
-- such reason, and dialer_screen need not ask dialer_gate about them: to look here costs a tenth of that.
CREATE OR REPLACE VIEW dialer_holdable AS
SELECT c.id AS case_id
FROM dialer_clients c
WHERE NOT c.used AND NOT c.checked AND (
    c.held_for IS NOT NULL
    OR EXISTS (
        SELECT FROM dialer_dnc_lengths z
        JOIN dialer_dnc d ON d.number = CASE WHEN z.length = 0 THEN c.number ELSE left(c.number, z.length) || '*' END
        WHERE d.until_at IS NULL OR d.until_at > dialer_now())
    OR EXISTS (SELECT FROM dialer_number_pauses p WHERE p.number = c.number AND p.until_at > dialer_now())
    OR EXISTS (
        SELECT FROM dialer_attempts a
        WHERE a.number = c.number AND a.begun_at > (
            SELECT CASE
                WHEN count(*) = count(m.period_minutes) THEN dialer_now() - max(m.period_minutes) * interval '1 minute'
                ELSE '-infinity' END
            FROM dialer_limits m))
    OR EXISTS (SELECT FROM dialer_calls a WHERE a.number = c.number)
    OR EXISTS (SELECT FROM dialer_limits m WHERE m.keyed_by <> 'number'))
