-- dialer_archivable(p_before, p_after, p_n, p_now) -> attempt_id, stays_for, limit_id
-- The next p_n attempts of the ledger by id, from after p_after, that ended before p_before; stays_for: what still needs
-- one of them, NULL: nothing, it may be archived. Who reads the ledger, and what of it:
--   case          its case is not used up, is in a call, or had one that ended since p_before: retry rules and
--                 dialer_params.most_attempts count the attempts of a case since it was fresh or brought back, and the
--                 third INVALID of a number is its last
--   abandon_rate  it counts in the abandon rate of its project, whose abandon_hours and abandon_days are not over
--   trunk         it did not ring, and its trunk has given no sign of life since (dialer_trunk_trip)
--   limit         the row limit_id of dialer_limits (the first such row) counts it: it is in the row's period, and among
--                 the newest `most` of its number or case; older ones change neither the answer nor its end. Calls under
--                 way do not count among these: they may still turn out to be none (FAILED)
-- What the last 24 hours show (dialer_stat_project, caller IDs) is the caller's to keep. For dialer archive, which deletes
-- them by dialer_archive. Locks nothing. p_now as in dialer_claim.
CREATE OR REPLACE FUNCTION dialer_archivable(p_before timestamptz, p_after bigint, p_n int, p_now timestamptz)
RETURNS TABLE (attempt_id bigint, stays_for varchar, limit_id bigint)
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz := dialer_instant(p_now);
BEGIN
    RETURN QUERY
    SELECT k.id, coalesce(k.reason, CASE WHEN k.of_limit IS NOT NULL THEN 'limit' END)::varchar, k.of_limit
    FROM (
        SELECT o.id, o.reason, CASE WHEN o.reason IS NULL THEN (
            SELECT min(m.id) FROM dialer_limits m
            WHERE o.reach >= CASE m.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END
              AND (m.project_id IS NULL OR m.project_id = o.project_id)
              AND (m.client IS NULL OR m.client = o.client)
              AND (m.purpose IS NULL OR m.purpose = o.purpose)
              AND CASE
                -- An hour more, since a local day may have 25.
                WHEN m.local_period IS NOT NULL THEN o.begun_at > v_now - interval '1 hour' - interval '1 day'
                    * CASE m.local_period WHEN 'day' THEN 1 WHEN 'week' THEN 7 ELSE 31 END
                WHEN m.period_minutes IS NOT NULL THEN o.begun_at > v_now - m.period_minutes * interval '1 minute'
                ELSE true
              END
              AND m.most > CASE m.keyed_by
                WHEN 'number' THEN (
                    SELECT count(*) FROM dialer_attempts n
                    LEFT JOIN dialer_params q ON q.project_id = n.project_id
                    WHERE n.number = o.number
                      AND (n.begun_at, n.id) > (o.begun_at, o.id)
                      AND n.reach >= CASE m.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END
                      AND (m.project_id IS NULL OR m.project_id = n.project_id)
                      AND (m.client IS NULL OR m.client = q.client)
                      AND (m.purpose IS NULL OR m.purpose = q.purpose))
                ELSE (
                    -- Of the same project, so in the same scope.
                    SELECT count(*) FROM dialer_attempts n
                    WHERE n.case_id = o.case_id
                      AND (n.project_id, n.phone_number, n.case_inserted_at)
                        = (o.project_id, o.phone_number, o.case_inserted_at)
                      AND (n.begun_at, n.id) > (o.begun_at, o.id)
                      AND n.reach >= CASE m.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END)
              END) END AS of_limit
        FROM (
            SELECT a.*, p.client, p.purpose, CASE
                WHEN EXISTS (
                    SELECT FROM dialer_clients c
                    WHERE c.id = a.case_id AND NOT c.used
                      AND (c.project_id, c.phone_number, c.inserted_at, c.brought_back)
                        = (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back))
                  OR EXISTS (
                    SELECT FROM dialer_calls c
                    WHERE c.case_id = a.case_id
                      AND (c.project_id, c.phone_number, c.case_inserted_at, c.brought_back)
                        = (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back))
                  OR EXISTS (
                    SELECT FROM dialer_attempts n
                    WHERE n.case_id = a.case_id AND n.ended_at >= p_before
                      AND (n.project_id, n.phone_number, n.case_inserted_at, n.brought_back)
                        = (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back))
                THEN 'case'
                WHEN a.counts_as IS NOT NULL
                  AND a.ended_at > v_now - greatest(p.abandon_hours, 24 * p.abandon_days) * interval '1 hour'
                THEN 'abandon_rate'
                WHEN a.ringing_at IS NULL AND a.answered_at IS NULL AND NOT u.reached AND EXISTS (
                    SELECT FROM dialer_trunk_states t
                    WHERE t.trunk = a.trunk AND t.asterisk = a.asterisk
                      AND (t.sound_at IS NULL OR a.ended_at >= t.sound_at))
                THEN 'trunk'
            END AS reason
            FROM (
                SELECT e.* FROM dialer_attempts e
                WHERE e.id > p_after AND e.ended_at < p_before
                ORDER BY e.id LIMIT p_n
            ) a
            JOIN dialer_outcomes u ON u.outcome = a.outcome
            LEFT JOIN dialer_params p ON p.project_id = a.project_id
            OFFSET 0
        ) o
        OFFSET 0
    ) k
    ORDER BY k.id;
END
$$
