-- dialer_next(p_project, p_now, p_n) -> place, case_id, phone_number, kind, due_at, priority, utc, number
-- The cases that would be dialled next, in dial order; nothing is claimed. Cases claimed and not yet dialled come
-- first. number: which of the case's numbers is dialled, in one form. All of them are without an own reason
-- (dialer_gate). p_now NULL means dialer_now(); another instant, '2026-11-24 09:00' by the session's clock or with an
-- offset ('+03'), asks about that time.
CREATE OR REPLACE FUNCTION dialer_next(p_project varchar, p_now timestamptz, p_n int)
RETURNS TABLE (
    place bigint,
    case_id bigint,
    phone_number varchar,
    kind varchar,
    due_at timestamptz,
    priority bigint,
    utc varchar,
    number varchar
)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
-- Other styles write names of zones, and CST is not read as what it was written for.
SET datestyle TO 'ISO'
AS $$
DECLARE
    v_now timestamptz := coalesce(p_now, dialer_now());
    -- As in dialer_pick.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    IF NOT coalesce(p_n >= 0, false) THEN
        PERFORM dialer_refuse('The number of cases', p_n::varchar, 'write how many to show, such as 10');
    END IF;
    PERFORM set_config('dialer.now', v_now::text, true);
    RETURN QUERY
    WITH claimed AS (
        SELECT row_number() OVER (ORDER BY l.place) AS place, l.case_id, l.kind, l.due_at
        FROM dialer_claims l
        JOIN dialer_clients c ON c.id = l.case_id AND c.inserted_at = l.case_inserted_at
        CROSS JOIN LATERAL (SELECT o.own_reason FROM dialer_gate o WHERE o.case_id = l.case_id OFFSET 0) g
        WHERE l.project_id = p_project AND l.attempt_id IS NULL AND g.own_reason IS NULL
    ), line AS (
        SELECT * FROM claimed
        UNION ALL
        SELECT k.place + (SELECT count(*) FROM claimed), k.case_id, k.kind, k.due_at
        FROM dialer_pick(p_project, v_now, p_n, false) k
    )
    SELECT n.place, n.case_id, c.phone_number, n.kind, n.due_at, c.priority, c.utc, c.number
    FROM line n
    JOIN dialer_clients c ON c.id = n.case_id
    ORDER BY n.place
    LIMIT p_n;
    PERFORM set_config('dialer.now', v_set, true);
END
$$
