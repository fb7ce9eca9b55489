-- dialer_next(p_project, p_now, p_n) -> place, case_id, phone_number, kind, due_at, priority, utc
-- What would be dialled next, in dial order; nothing is claimed. Cases claimed and not yet dialled come
-- first. p_now NULL means dialer_now(); another instant, '2026-11-24 09:00' by the session's clock or with an offset
-- ('+03'), asks about then.
CREATE OR REPLACE FUNCTION dialer_next(p_project varchar, p_now timestamptz, p_n int)
RETURNS TABLE (
    place bigint,
    case_id bigint,
    phone_number varchar,
    kind varchar,
    due_at timestamptz,
    priority bigint,
    utc varchar
)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    WITH claimed AS (
        SELECT row_number() OVER (ORDER BY l.place) AS place, l.case_id, l.kind, l.due_at
        FROM dialer_claims l
        WHERE l.project_id = p_project AND l.attempt_id IS NULL
    ), line AS (
        SELECT * FROM claimed
        UNION ALL
        SELECT k.place + (SELECT count(*) FROM claimed), k.case_id, k.kind, k.due_at
        FROM dialer_pick(p_project, coalesce(p_now, dialer_now()), p_n) k
    )
    SELECT n.place, n.case_id, c.phone_number, n.kind, n.due_at, c.priority, c.utc
    FROM line n
    JOIN dialer_clients c ON c.id = n.case_id
    ORDER BY n.place
    LIMIT p_n
$$
