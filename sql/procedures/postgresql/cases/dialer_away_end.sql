-- dialer_away_end(p_case) -> attempt_id
-- The call that used up a case while it was not in dialer_clients (moved to an archive and back); NULL: none. Redials
-- that it has left, further numbers, and a promise, are still to be kept.
CREATE OR REPLACE FUNCTION dialer_away_end(p_case bigint)
RETURNS bigint
-- Not LANGUAGE sql: that would be planned again for each query that calls it.
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (
        SELECT max(w.attempt_id)
        FROM dialer_away w
        JOIN dialer_clients c ON c.id = w.case_id
        WHERE w.case_id = p_case
          AND (c.project_id, c.phone_number, c.inserted_at) = (w.project_id, w.phone_number, w.case_inserted_at)
          AND (c.deferred_time IS NULL OR c.deferred_done)
          AND dialer_retry(w.attempt_id, NULL) IS NULL
          AND dialer_case_move(w.attempt_id, dialer_now()) IS NULL);
END
$$
