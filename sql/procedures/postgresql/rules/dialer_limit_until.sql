-- dialer_limit_until(p_limit, p_case, p_at) -> instant
-- Until when one row of dialer_limits speaks against a case that it applies to: p_at if it does not at p_at, infinity
-- (MariaDB: the year 9999) if it does for the whole campaign. Exact: the call that makes the limit full leaves the
-- period, or the next local day, week or month begins. Counted are calls whose projects are in the row's scope, those
-- under way included.
CREATE OR REPLACE FUNCTION dialer_limit_until(p_limit bigint, p_case bigint, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
-- A plan for each limit and case takes five times as long as the answer.
SET plan_cache_mode TO force_generic_plan
AS $$
DECLARE
    v_limit dialer_limits;
    v_case dialer_clients;
    v_zones varchar[];
    v_begun timestamptz;
BEGIN
    SELECT * INTO v_limit FROM dialer_limits m WHERE m.id = p_limit;
    SELECT * INTO v_case FROM dialer_clients c WHERE c.id = p_case;
    -- The call that makes the limit full: the n-th latest.
    SELECT n.begun_at INTO v_begun
    FROM (
        SELECT a.project_id, a.begun_at, a.reach FROM dialer_attempts a
        WHERE v_limit.keyed_by = 'number' AND a.number = v_case.number
        UNION ALL
        SELECT a.project_id, a.begun_at, a.reach FROM dialer_calls a
        WHERE v_limit.keyed_by = 'number' AND a.number = v_case.number
        UNION ALL
        SELECT a.project_id, a.begun_at, a.reach FROM dialer_attempts a
        WHERE v_limit.keyed_by = 'case' AND a.case_id = v_case.id
          AND (a.project_id, a.phone_number, a.case_inserted_at)
            = (v_case.project_id, v_case.phone_number, v_case.inserted_at)
        UNION ALL
        SELECT a.project_id, a.begun_at, a.reach FROM dialer_calls a
        WHERE v_limit.keyed_by = 'case' AND a.case_id = v_case.id
          AND (a.project_id, a.phone_number, a.case_inserted_at)
            = (v_case.project_id, v_case.phone_number, v_case.inserted_at)
    ) n
    LEFT JOIN dialer_rules r ON r.project_id = n.project_id
    WHERE n.reach >= CASE v_limit.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END
      AND (v_limit.project_id IS NULL OR v_limit.project_id = n.project_id)
      AND (v_limit.client IS NULL OR v_limit.client = r.client)
      AND (v_limit.purpose IS NULL OR v_limit.purpose = r.purpose)
    ORDER BY n.begun_at DESC
    OFFSET v_limit.most - 1 LIMIT 1;
    IF v_begun IS NULL THEN
        RETURN p_at;
    END IF;
    IF v_limit.period_minutes IS NOT NULL THEN
        RETURN greatest(p_at, v_begun + v_limit.period_minutes * interval '1 minute');
    END IF;
    IF v_limit.local_period IS NULL THEN
        RETURN 'infinity';
    END IF;
    v_zones := string_to_array(dialer_zone_of(v_case.project_id, v_case.utc, v_case.zones), '&');
    IF v_begun < (SELECT min(dialer_period_start(z.zone, v_limit.local_period, p_at)) FROM unnest(v_zones) z (zone)) THEN
        RETURN p_at;
    END IF;
    -- With several zones, the last midnight.
    RETURN (SELECT max(dialer_period_next(z.zone, v_limit.local_period, p_at)) FROM unnest(v_zones) z (zone));
END
$$
