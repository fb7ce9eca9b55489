-- dialer_retry_row(p_attempt, p_disposition) -> dialer_retries.id
-- The row that says when the case of an attempt is called again: after p_disposition, or, if that is NULL, after the
-- attempt's outcome. NULL: none applies. Of several, the one with the narrowest scope (dialer_project_retries). For
-- dialer_retry and dialer_dispose.
CREATE OR REPLACE FUNCTION dialer_retry_row(p_attempt bigint, p_disposition varchar)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (
        SELECT t.id
        FROM dialer_stat_attempt a
        JOIN dialer_clients c ON c.id = a.case_id
        JOIN dialer_project_retries t ON t.project_id = a.project_id
            AND CASE WHEN p_disposition IS NULL THEN t.outcome = a.outcome ELSE t.disposition = p_disposition END
        WHERE a.attempt_id = p_attempt
          AND (c.project_id, c.phone_number, c.inserted_at) = (a.project_id, a.phone_number, a.case_inserted_at)
          AND (t.region IS NULL OR t.region IN (
            c.region, c.number_region, split_part(c.region, '-', 1), split_part(c.number_region, '-', 1)))
        ORDER BY t.of_project DESC, t.of_client DESC, t.of_region DESC, t.of_purpose DESC, t.id DESC
        LIMIT 1);
END
$$
