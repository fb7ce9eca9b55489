-- dialer_away_end(p_case) -> attempt_id
-- The call that used up a case while it was not in dialer_clients (moved to an archive and back); NULL: none. Redials
-- that it has left, and a promise, are still to be kept.
CREATE OR REPLACE FUNCTION dialer_away_end(p_case bigint)
RETURNS bigint
READS SQL DATA
BEGIN
    RETURN (
        SELECT max(w.attempt_id)
        FROM dialer_away w
        JOIN dialer_clients c ON c.id = w.case_id
        JOIN dialer_outcomes o ON o.outcome = w.outcome
        WHERE w.case_id = p_case
          AND c.project_id = w.project_id AND c.phone_number = w.phone_number AND c.inserted_at = w.case_inserted_at
          AND (c.deferred_time IS NULL OR c.deferred_done)
          AND NOT (o.redial AND c.call_back AND c.redials_done
              < coalesce(1 + char_length(nullif(c.call_back_period, '')) - char_length(replace(c.call_back_period, ',', '')), 0))
    );
END
