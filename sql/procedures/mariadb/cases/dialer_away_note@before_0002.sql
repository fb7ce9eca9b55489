-- dialer_away_note(p_attempt)
-- For a call that has ended while its case was not in dialer_clients: if it used the case up, keep that until the
-- case comes back.
CREATE OR REPLACE PROCEDURE dialer_away_note(p_attempt bigint)
BEGIN
    INSERT INTO dialer_away (attempt_id, case_id, project_id, phone_number, case_inserted_at, outcome, ended_at)
    SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.outcome, a.ended_at
    FROM dialer_calls a
    JOIN dialer_outcomes o ON o.outcome = a.outcome
    WHERE a.id = p_attempt AND o.uses_attempt;
END
