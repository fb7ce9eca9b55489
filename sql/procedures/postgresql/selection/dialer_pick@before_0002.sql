-- dialer_pick(p_project, p_now, p_n) -> place, case_id, kind, due_at
-- The next p_n cases in dial order, from 1, that have no own reason at p_now (dialer_gate). The gate is asked about the
-- cases that dialer_pick_scan has found; if it objects to some, more are looked at. Nothing is locked or claimed.
CREATE OR REPLACE FUNCTION dialer_pick(p_project varchar, p_now timestamptz, p_n int)
RETURNS TABLE (place bigint, case_id bigint, kind varchar, due_at timestamptz)
LANGUAGE plpgsql STABLE
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
    -- The session's own setting; after an error the rollback restores it.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    PERFORM set_config('dialer.now', p_now::text, true);
    LOOP
        SELECT count(*),
            array_agg(s.case_id ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL),
            array_agg(s.kind ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL),
            array_agg(s.due_at ORDER BY s.place) FILTER (WHERE g.own_reason IS NULL)
        INTO v_scanned, v_cases, v_kinds, v_dues
        FROM dialer_pick_scan(p_project, p_now, v_reach) s
        -- OFFSET 0: look up each case by its id, however many the planner expects.
        CROSS JOIN LATERAL (SELECT o.own_reason FROM dialer_gate o WHERE o.case_id = s.case_id OFFSET 0) g;
        EXIT WHEN v_scanned < v_reach OR coalesce(cardinality(v_cases), 0) >= p_n;
        v_reach := 2 * least(v_reach, 1000000000);
    END LOOP;
    PERFORM set_config('dialer.now', v_set, true);
    RETURN QUERY
    SELECT k.place, k.case_id, k.kind, k.due_at
    FROM unnest(v_cases, v_kinds, v_dues) WITH ORDINALITY k (case_id, kind, due_at, place)
    ORDER BY k.place
    LIMIT p_n;
END
$$
