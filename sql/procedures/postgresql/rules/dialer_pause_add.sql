-- dialer_pause_add(p_attempt, p_now)
-- The end of an attempt, or its disposition, may be followed by a pause of its number (dialer_pauses): write it down.
-- An attempt causes each pause once; told again, the pause is reckoned anew. The ledger is opened only for an attempt
-- that stands in it.
CREATE OR REPLACE FUNCTION dialer_pause_add(p_attempt bigint, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_attempt record;
BEGIN
    IF NOT EXISTS (SELECT FROM dialer_pauses) THEN
        RETURN;
    END IF;
    SELECT a.number, a.project_id, a.case_id, a.case_inserted_at, a.outcome, a.disposition, a.ended_at INTO v_attempt
    FROM dialer_calls a WHERE a.id = p_attempt;
    IF NOT FOUND THEN
        SELECT a.number, a.project_id, a.case_id, a.case_inserted_at, a.outcome, a.disposition, a.ended_at INTO v_attempt
        FROM dialer_attempts a WHERE a.id = p_attempt;
    END IF;
    DELETE FROM dialer_number_pauses p WHERE p.number = v_attempt.number AND p.attempt_id = p_attempt;
    INSERT INTO dialer_number_pauses (
        number, project_id, client, region, purpose, callbacks, until_at, pause_id, attempt_id, added_at)
    SELECT v_attempt.number, u.project_id, u.client, u.region, u.purpose, u.callbacks,
        v_attempt.ended_at + u.period_minutes * interval '1 minute', u.id, p_attempt, p_now
    FROM dialer_pauses u
    LEFT JOIN dialer_clients c ON c.id = v_attempt.case_id AND c.inserted_at = v_attempt.case_inserted_at
    LEFT JOIN dialer_rules r ON r.project_id = v_attempt.project_id
    WHERE v_attempt.ended_at IS NOT NULL
      AND (u.outcome = v_attempt.outcome OR u.disposition = v_attempt.disposition)
      AND (u.project_id IS NULL OR u.project_id = v_attempt.project_id)
      AND (u.client IS NULL OR u.client = r.client)
      AND (u.purpose IS NULL OR u.purpose = r.purpose)
      AND (u.region IS NULL OR u.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)));
END
$$
