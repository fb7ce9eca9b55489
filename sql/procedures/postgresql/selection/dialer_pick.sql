-- dialer_pick(p_project, p_now, p_n, p_claims) -> place, case_id, kind, due_at, held_for, held_until
-- The next p_n cases in dial order, from 1, that have no own reason at p_now (dialer_gate). The gate is asked about the
-- cases that dialer_pick_scan has found; if it objects to some, more are looked at. Nothing is locked or claimed.
-- p_claims false: exactly those, held ones whose time has come among them. True, for dialer_claim: of cases that wait
-- only, and when 150 of them are kept back by rules, no more are looked at; these are handed out, too,
-- with the rule and its end, so that the claim can hold them: without a place, or in dialer_holding (MariaDB).
CREATE OR REPLACE FUNCTION dialer_pick(p_project varchar, p_now timestamptz, p_n int, p_claims bool)
RETURNS TABLE (
    place bigint,
    case_id bigint,
    kind varchar,
    due_at timestamptz,
    held_for varchar,
    held_until timestamptz
)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
-- Other styles write names of zones, and CST is not read as what it was written for.
SET datestyle TO 'ISO'
AS $$
DECLARE
    v_reach int := p_n;
    v_scanned int;
    v_cases bigint[];
    v_kinds varchar[];
    v_dues timestamptz[];
    v_blocked bigint[];
    v_rules varchar[];
    v_ends timestamptz[];
    -- The session's own setting; after an error the rollback restores it.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    PERFORM set_config('dialer.now', p_now::text, true);
    LOOP
        SELECT count(*),
            array_agg(s.case_id ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL),
            array_agg(s.kind ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL),
            array_agg(s.due_at ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL),
            array_agg(s.case_id) FILTER (WHERE dialer_holds(g.own_reason)),
            array_agg(g.own_reason) FILTER (WHERE dialer_holds(g.own_reason)),
            array_agg(g.held_until) FILTER (WHERE dialer_holds(g.own_reason))
        INTO v_scanned, v_cases, v_kinds, v_dues, v_blocked, v_rules, v_ends
        FROM dialer_pick_scan(p_project, p_now, v_reach, NOT p_claims) s
        -- OFFSET 0: look up each case by its id, however many the planner expects.
        CROSS JOIN LATERAL (
            SELECT o.own_reason, CASE WHEN p_claims AND dialer_holds(o.own_reason) THEN o.own_until_at END AS held_until
            FROM dialer_gate o WHERE o.case_id = s.case_id
            OFFSET 0
        ) g;
        EXIT WHEN v_scanned < v_reach
            OR coalesce(cardinality(v_cases), 0) >= p_n
            OR p_claims AND cardinality(v_blocked) >= 150;
        -- Where rules keep some back there are probably many of them.
        v_reach := 2 * least(v_reach + CASE WHEN v_blocked IS NOT NULL THEN 65 ELSE 0 END, 1000000000);
    END LOOP;
    RETURN QUERY
    SELECT k.place, k.case_id, k.kind, k.due_at, NULL::varchar, NULL::timestamptz
    FROM unnest(v_cases, v_kinds, v_dues) WITH ORDINALITY k (case_id, kind, due_at, place)
    ORDER BY k.place
    LIMIT p_n;
    IF p_claims AND v_blocked IS NOT NULL THEN
        RETURN QUERY
        SELECT NULL::bigint, k.case_id, NULL::varchar, NULL::timestamptz, k.held_for, k.held_until
        FROM unnest(v_blocked, v_rules, v_ends) k (case_id, held_for, held_until)
        LIMIT 150;
    END IF;
    PERFORM set_config('dialer.now', v_set, true);
END
$$
