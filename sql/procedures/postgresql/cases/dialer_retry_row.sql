-- dialer_retry_row(p_project, p_case, p_outcome, p_disposition) -> dialer_retries.id
-- The row that says when a case is called again after p_disposition, or, if that is NULL, after p_outcome. NULL: none
-- applies. Of several, the one with the narrowest scope (dialer_project_retries). For dialer_retry and dialer_dispose.
CREATE OR REPLACE FUNCTION dialer_retry_row(
    p_project varchar,
    p_case bigint,
    p_outcome varchar,
    p_disposition varchar
)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (
        SELECT t.id
        FROM dialer_clients c
        JOIN dialer_project_retries t ON t.project_id = p_project
            AND CASE WHEN p_disposition IS NULL THEN t.outcome = p_outcome ELSE t.disposition = p_disposition END
        WHERE c.id = p_case
          AND (t.region IS NULL OR t.region IN (
            c.region, c.number_region, split_part(c.region, '-', 1), split_part(c.number_region, '-', 1)))
        ORDER BY t.of_project DESC, t.of_client DESC, t.of_region DESC, t.of_purpose DESC, t.id DESC
        LIMIT 1);
END
$$
