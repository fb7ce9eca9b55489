-- dialer_invalid_count(p_attempt) -> how many
-- The attempts that ended INVALID on this attempt's number of its case since it was fresh or brought back, this attempt
-- included; not those of another case that had the same id before. For dialer_case_settle and dialer_trunk_trip.
CREATE OR REPLACE FUNCTION dialer_invalid_count(p_attempt bigint)
RETURNS bigint
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT count(*)
    FROM dialer_stat_attempt m
    JOIN dialer_stat_attempt a ON a.case_id = m.case_id
    WHERE m.attempt_id = p_attempt
      AND a.outcome = 'INVALID'
      AND (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.number_place)
        = (m.project_id, m.phone_number, m.case_inserted_at, m.brought_back, m.number_place)
$$
