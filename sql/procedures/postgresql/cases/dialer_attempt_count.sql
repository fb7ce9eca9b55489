-- dialer_attempt_count(p_attempt) -> how many
-- The attempts that this attempt's case has used up since it was fresh or brought back, up to this one, which counts
-- whatever it did: what dialer_params.most_attempts is compared with.
CREATE OR REPLACE FUNCTION dialer_attempt_count(p_attempt bigint)
RETURNS bigint
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT count(*)
    FROM dialer_stat_attempt m
    JOIN dialer_stat_attempt a ON a.case_id = m.case_id
    JOIN dialer_outcomes o ON o.outcome = a.outcome
    WHERE m.attempt_id = p_attempt
      AND a.attempt_id <= p_attempt
      AND (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back)
        = (m.project_id, m.phone_number, m.case_inserted_at, m.brought_back)
      AND o.uses_attempt
      AND a.effect IS DISTINCT FROM 'back'
$$
