-- dialer_number_rules(p_number) -> a row per rule, and per project that it binds
-- The rules that have to do with a number (in the one form, see dialer_number), for people who ask about it. kind:
--   do_not_call  a row of dialer_dnc with the number or a prefix of it, in force or not (from_at, until_at)
--   limit, pause  a row of dialer_limits or dialer_pauses
--   abandoned    the number was abandoned, in attempt_id of that project; until_at: it needs an agent guaranteed
-- project_id: a project with a case of this number (or with it as a further number) that is in the rule's scope; NULL, of
-- do_not_call alone: no such project is.
CREATE OR REPLACE FUNCTION dialer_number_rules(p_number varchar)
RETURNS TABLE (
    kind varchar,
    rule_id bigint,
    project_id varchar,
    number varchar,
    reason varchar,
    from_at timestamptz,
    until_at timestamptz,
    attempt_id bigint,
    keyed_by varchar,
    counts varchar,
    most int,
    period_minutes int,
    local_period varchar,
    outcome varchar,
    disposition varchar,
    callbacks bool,
    preset varchar
)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    WITH own AS MATERIALIZED (
        SELECT DISTINCT c.project_id, p.client, p.purpose, c.region, c.number_region
        FROM (
            SELECT n.id FROM dialer_clients n WHERE n.number = p_number
            UNION
            SELECT f.case_id FROM dialer_case_numbers f
            JOIN dialer_clients n ON n.id = f.case_id AND n.inserted_at = f.case_inserted_at
            WHERE f.number = p_number AND (f.place > 1 OR f.phone_number = n.phone_number)
        ) k
        JOIN dialer_clients c ON c.id = k.id
        JOIN dialer_params p ON p.project_id = c.project_id
    )
    SELECT DISTINCT 'do_not_call', d.id, o.project_id, d.number, d.reason, d.from_at, d.until_at, d.attempt_id,
        NULL, NULL, NULL::int, NULL::int, NULL, NULL, NULL, NULL::bool, NULL
    FROM dialer_dnc d
    LEFT JOIN own o ON (d.project_id IS NULL OR d.project_id = o.project_id)
        AND (d.client IS NULL OR d.client = o.client)
        AND (d.purpose IS NULL OR d.purpose = o.purpose)
        AND (d.region IS NULL OR d.region IN (o.region, left(o.region, 2), o.number_region, left(o.number_region, 2)))
    WHERE d.number = ANY (ARRAY(
        SELECT left(p_number, n.digits) || '*' FROM generate_series(1, length(p_number)) n (digits)
        UNION ALL
        SELECT p_number))
    UNION ALL
    SELECT DISTINCT 'limit', m.id, o.project_id, NULL, NULL, NULL::timestamptz, NULL::timestamptz, NULL::bigint,
        m.keyed_by, m.counts, m.most, m.period_minutes, m.local_period, NULL, NULL, m.callbacks, m.preset
    FROM dialer_limits m
    JOIN own o ON (m.project_id IS NULL OR m.project_id = o.project_id)
        AND (m.client IS NULL OR m.client = o.client)
        AND (m.purpose IS NULL OR m.purpose = o.purpose)
        AND (m.region IS NULL OR m.region IN (o.region, left(o.region, 2), o.number_region, left(o.number_region, 2)))
    UNION ALL
    SELECT DISTINCT 'pause', u.id, o.project_id, NULL, NULL, NULL::timestamptz, NULL::timestamptz, NULL::bigint,
        NULL, NULL, NULL::int, u.period_minutes, NULL, u.outcome, u.disposition, u.callbacks, u.preset
    FROM dialer_pauses u
    JOIN own o ON (u.project_id IS NULL OR u.project_id = o.project_id)
        AND (u.client IS NULL OR u.client = o.client)
        AND (u.purpose IS NULL OR u.purpose = o.purpose)
        AND (u.region IS NULL OR u.region IN (o.region, left(o.region, 2), o.number_region, left(o.number_region, 2)))
    UNION ALL
    SELECT 'abandoned', NULL::bigint, b.project_id, b.number, NULL, NULL::timestamptz, b.until_at, b.attempt_id,
        NULL, NULL, NULL::int, NULL::int, NULL, NULL, NULL, NULL::bool, NULL
    FROM dialer_abandoned b
    WHERE b.number = p_number AND b.until_at > dialer_now()
    ORDER BY 1, 2, 3
$$
