-- dialer_judged: the calls that dialer_rule_breaches looks at, those under way and the last thousand of the ledger, with
-- what rules go by. client, purpose and has_scope: false if the project has been edited since, or in the ten minutes
-- before (whose transaction may have been open for so long). region, number_region and has_case: those of the case,
-- which must be the same (utc, hours, zones and regions too) as when the call began. Read by nobody else.
CREATE OR REPLACE VIEW dialer_judged AS
SELECT
    a.id,
    a.case_id,
    a.project_id,
    a.number,
    a.begun_at,
    a.kind = 'scheduled' AS is_promised,
    p.client,
    p.purpose,
    coalesce(p.scoped_at <= a.begun_at - interval '10 minutes', false) AS has_scope,
    c.region,
    c.number_region,
    c.id IS NOT NULL AS has_case
FROM (
    SELECT id, case_id, case_inserted_at, project_id, number, kind, window_key, begun_at FROM dialer_calls
    UNION ALL
    SELECT * FROM (
        SELECT id, case_id, case_inserted_at, project_id, number, kind, window_key, begun_at FROM dialer_attempts
        ORDER BY id DESC LIMIT 1000) l
) a
LEFT JOIN dialer_params p ON p.project_id = a.project_id
LEFT JOIN dialer_clients c ON c.id = a.case_id AND c.inserted_at = a.case_inserted_at AND c.window_key = a.window_key
