-- dialer_limit_calls(p_limit, p_attempt) -> number
-- How many calls filled a row of dialer_limits when an attempt of its scope began: earlier calls of the number (or the
-- case) in the period before that, whose projects are in the row's scope. For dialer_rule_breaches, which also sees to
-- it that the facts are still those of that time; calls of a project whose client or purpose has changed since are left
-- out where the row names one.
CREATE OR REPLACE FUNCTION dialer_limit_calls(p_limit bigint, p_attempt bigint)
RETURNS bigint
LANGUAGE plpgsql STABLE
-- Otherwise the planner asks it before the lookups that would spare it.
COST 100000
SET search_path FROM CURRENT
AS $$
DECLARE
    v_limit dialer_limits;
    v_attempt record;
    v_since timestamptz := '-infinity';
BEGIN
    SELECT * INTO v_limit FROM dialer_limits m WHERE m.id = p_limit;
    SELECT a.case_id, a.project_id, a.phone_number, a.number, a.case_inserted_at, a.begun_at INTO v_attempt
    FROM dialer_attempts a WHERE a.id = p_attempt;
    IF NOT FOUND THEN
        SELECT a.case_id, a.project_id, a.phone_number, a.number, a.case_inserted_at, a.begun_at INTO v_attempt
        FROM dialer_calls a WHERE a.id = p_attempt;
    END IF;
    IF v_limit.period_minutes IS NOT NULL THEN
        v_since := v_attempt.begun_at - v_limit.period_minutes * interval '1 minute' + interval '1 microsecond';
    ELSIF v_limit.local_period IS NOT NULL THEN
        SELECT min(dialer_period_start(z.zone, v_limit.local_period, v_attempt.begun_at)) INTO v_since
        FROM dialer_clients c
        CROSS JOIN unnest(string_to_array(dialer_zone_of(v_attempt.project_id, c.utc, c.zones), '&')) z (zone)
        WHERE c.id = v_attempt.case_id;
    END IF;
    RETURN (
        SELECT count(*)
        FROM (
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_attempts a
            WHERE v_limit.keyed_by = 'number' AND a.number = v_attempt.number
            UNION ALL
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_calls a
            WHERE v_limit.keyed_by = 'number' AND a.number = v_attempt.number
            UNION ALL
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_attempts a
            WHERE v_limit.keyed_by = 'case' AND a.case_id = v_attempt.case_id
              AND (a.project_id, a.phone_number, a.case_inserted_at)
                = (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at)
            UNION ALL
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_calls a
            WHERE v_limit.keyed_by = 'case' AND a.case_id = v_attempt.case_id
              AND (a.project_id, a.phone_number, a.case_inserted_at)
                = (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at)
        ) n
        LEFT JOIN dialer_params p ON p.project_id = n.project_id
        WHERE n.id < p_attempt
          AND n.begun_at >= v_since
          AND n.reach >= CASE v_limit.counts WHEN 'attempts' THEN 1 WHEN 'connected' THEN 2 ELSE 3 END
          AND (v_limit.project_id IS NULL OR v_limit.project_id = n.project_id)
          AND (v_limit.client IS NULL OR v_limit.client = p.client AND p.scoped_at <= v_attempt.begun_at)
          AND (v_limit.purpose IS NULL OR v_limit.purpose = p.purpose AND p.scoped_at <= v_attempt.begun_at));
END
$$
