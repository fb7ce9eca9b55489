-- dialer_limit_of(p_case, p_number, p_project, p_client, p_purpose, p_regions, p_promised, p_now) -> id, NULL: none
-- The first row of dialer_limits that speaks against a case at p_now; for dialer_gate, which knows the case's number, its
-- project with client and purpose, its regions, and whether it is a callback that was promised. A function: on PostgreSQL
-- so that the ledger, which people work on, is opened only where there is a limit to count; on MariaDB, which plans anew
-- each time, so that no plan to count is made for numbers that were never called.
CREATE OR REPLACE FUNCTION dialer_limit_of(
    p_case bigint,
    p_number varchar,
    p_project varchar,
    p_client varchar,
    p_purpose varchar,
    p_regions varchar[],
    p_promised bool,
    p_now timestamptz
)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    -- Most numbers were never called since the longest period began: to look costs a sixth of counting.
    IF NOT EXISTS (
            SELECT FROM (
                SELECT CASE
                    WHEN count(*) = count(m.period_minutes) THEN p_now - max(m.period_minutes) * interval '1 minute'
                    ELSE '-infinity' END AS since
                FROM dialer_limits m
            ) l
            JOIN dialer_attempts a ON a.number = p_number AND a.begun_at > l.since)
       AND NOT EXISTS (SELECT FROM dialer_calls a WHERE a.number = p_number)
       AND NOT EXISTS (SELECT FROM dialer_limits m WHERE m.keyed_by <> 'number') THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT min(m.id) FROM dialer_limits m
        WHERE (m.project_id IS NULL OR m.project_id = p_project)
          AND (m.client IS NULL OR m.client = p_client)
          AND (m.purpose IS NULL OR m.purpose = p_purpose)
          AND (m.region IS NULL OR m.region = ANY (p_regions))
          AND (m.callbacks OR NOT p_promised)
          AND CASE
            -- Counted here, where that is all there is to it: cheaper than a call.
            WHEN m.keyed_by = 'number' AND m.local_period IS NULL THEN m.most <= (
                SELECT count(*)
                FROM (
                    SELECT a.project_id, a.begun_at, a.reach FROM dialer_attempts a WHERE a.number = p_number
                    UNION ALL
                    SELECT a.project_id, a.begun_at, a.reach FROM dialer_calls a WHERE a.number = p_number
                ) n
                WHERE n.reach >= CASE m.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END
                  AND (m.period_minutes IS NULL OR n.begun_at > p_now - m.period_minutes * interval '1 minute')
                  AND (m.project_id IS NULL OR m.project_id = n.project_id)
                  AND (m.client IS NULL AND m.purpose IS NULL OR EXISTS (
                    SELECT FROM dialer_params r
                    WHERE r.project_id = n.project_id
                      AND (m.client IS NULL OR m.client = r.client)
                      AND (m.purpose IS NULL OR m.purpose = r.purpose))))
            ELSE dialer_limit_until(m.id, p_case, p_now) > p_now
          END);
END
$$
