-- dialer_pause_add(p_attempt)
-- The end of an attempt, or its disposition, may be followed by a pause of its number (dialer_pauses): write it down.
-- An attempt causes each pause once; told again, the pause is reckoned anew.
CREATE OR REPLACE FUNCTION dialer_pause_add(p_attempt bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM dialer_pauses) THEN
        RETURN;
    END IF;
    DELETE FROM dialer_number_pauses p WHERE p.attempt_id = p_attempt AND p.number = (
        SELECT a.number FROM dialer_stat_attempt a WHERE a.attempt_id = p_attempt);
    INSERT INTO dialer_number_pauses (
        number, project_id, client, region, purpose, callbacks, until_at, pause_id, attempt_id)
    SELECT a.number, u.project_id, u.client, u.region, u.purpose, u.callbacks,
        a.ended_at + u.period_minutes * interval '1 minute', u.id, a.attempt_id
    FROM dialer_stat_attempt a
    LEFT JOIN dialer_clients c ON c.id = a.case_id AND c.inserted_at = a.case_inserted_at
    LEFT JOIN dialer_rules r ON r.project_id = a.project_id
    JOIN dialer_pauses u ON (u.outcome = a.outcome OR u.disposition = a.disposition)
    WHERE a.attempt_id = p_attempt
      AND a.ended_at IS NOT NULL
      AND (u.project_id IS NULL OR u.project_id = a.project_id)
      AND (u.client IS NULL OR u.client = r.client)
      AND (u.purpose IS NULL OR u.purpose = r.purpose)
      AND (u.region IS NULL OR u.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)));
END
$$
