-- dialer_attempt_advance(p_worker, p_asterisk, p_epoch, p_reports, p_now) -> bool
-- How far calls have got. p_reports: JSON array of {"attempt_id", "steps": {step: seconds ago, …}, "agent",
-- "amd": AMD()'s verdict, "keys": what was pressed, in order}, steps: dialing, ringing, answered, amd, waiting, agent,
-- played. Ages, not instants: the worker's clock need not be the database's. Reports that come late, twice or out of
-- order change nothing. False: p_worker is not the owner.
CREATE OR REPLACE FUNCTION dialer_attempt_advance(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_reports text,
    p_now timestamptz
)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN false;
    END IF;
    v_now := dialer_instant(p_now);
    PERFORM dialer_attempt_step(s.id, s.value, v_now)
    FROM (
        SELECT a.id, q.value
        FROM jsonb_array_elements(p_reports::jsonb) q (value)
        JOIN dialer_calls a ON a.id = (q.value ->> 'attempt_id')::bigint AND a.asterisk = p_asterisk
        ORDER BY a.id
    ) s;
    RETURN true;
END
$$
