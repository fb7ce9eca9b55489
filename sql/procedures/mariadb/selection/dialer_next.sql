-- dialer_next(p_project, p_now, p_n) -> place, case_id, phone_number, kind, due_at, priority, utc
-- What would be dialled next, in dial order; nothing is claimed. Cases claimed and not yet dialled come
-- first. p_now NULL means dialer_now(); another instant, '2026-11-24 09:00' by the session's clock or with an offset
-- ('+03'), asks about then.
CREATE OR REPLACE PROCEDURE dialer_next(p_project varchar(400), p_now varchar(400), p_n int)
BEGIN
    -- As text: a datetime would take the hours of an offset for seconds.
    CALL dialer_pick(p_project, coalesce(dialer_read_instant(p_now), dialer_now()), p_n);
    SELECT n.place, n.case_id, c.phone_number, n.kind, n.due_at, c.priority, c.utc
    FROM (
        SELECT row_number() OVER (ORDER BY l.place) AS place, l.case_id, l.kind, l.due_at
        FROM dialer_claims l
        WHERE l.project_id = p_project AND l.attempt_id IS NULL
        UNION ALL
        SELECT (SELECT count(*) FROM dialer_claims l WHERE l.project_id = p_project AND l.attempt_id IS NULL)
            + row_number() OVER (ORDER BY k.place), k.case_id, k.kind, k.due_at
        FROM dialer_picked k
    ) n
    JOIN dialer_clients c ON c.id = n.case_id
    ORDER BY n.place
    LIMIT p_n;
END
