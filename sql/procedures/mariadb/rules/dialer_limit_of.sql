-- dialer_limit_of(p_case, p_number, p_project, p_client, p_purpose, p_regions, p_promised, p_now) -> id, NULL: none
-- The first row of dialer_limits that speaks against a case at p_now; for dialer_gate, which knows the case's number, its
-- project with client and purpose, its regions, and whether it is a callback that was promised. A function: on PostgreSQL
-- so that the ledger, which people work on, is opened only where there is a limit to count; on MariaDB, which plans anew
-- each time, so that no plan to count is made for numbers that were never called.
CREATE OR REPLACE FUNCTION dialer_limit_of(
    p_case bigint,
    p_number varchar(400),
    p_project varchar(400),
    p_client varchar(400),
    p_purpose varchar(400),
    p_regions varchar(400),
    p_promised tinyint(1),
    p_now datetime(6)
)
RETURNS bigint
READS SQL DATA
BEGIN
    RETURN (
        SELECT min(m.id) FROM dialer_limits m
        WHERE (m.project_id IS NULL OR m.project_id = p_project)
          AND (m.client IS NULL OR m.client = p_client)
          AND (m.purpose IS NULL OR m.purpose = p_purpose)
          AND (m.region IS NULL OR find_in_set(m.region, p_regions))
          AND (m.callbacks OR NOT p_promised)
          -- Counted here, where that is all there is to it: cheaper than a call.
          AND (m.keyed_by <> 'number' OR m.most <=
            (
                SELECT count(*) FROM dialer_attempts a
                LEFT JOIN dialer_params q ON q.project_id = a.project_id
                WHERE a.number = p_number
                  AND a.reach >= field(m.counts, 'attempts', 'connected', 'conversations')
                  AND (m.period_minutes IS NULL OR a.begun_at > p_now - INTERVAL m.period_minutes MINUTE)
                  AND (m.project_id IS NULL OR m.project_id = a.project_id)
                  AND (m.client IS NULL OR m.client = q.client)
                  AND (m.purpose IS NULL OR m.purpose = q.purpose))
            + (
                SELECT count(*) FROM dialer_calls a
                LEFT JOIN dialer_params q ON q.project_id = a.project_id
                WHERE a.number = p_number
                  AND a.reach >= field(m.counts, 'attempts', 'connected', 'conversations')
                  AND (m.period_minutes IS NULL OR a.begun_at > p_now - INTERVAL m.period_minutes MINUTE)
                  AND (m.project_id IS NULL OR m.project_id = a.project_id)
                  AND (m.client IS NULL OR m.client = q.client)
                  AND (m.purpose IS NULL OR m.purpose = q.purpose)))
          AND (m.keyed_by = 'number' AND m.local_period IS NULL OR dialer_limit_until(m.id, p_case, p_now) > p_now));
END
