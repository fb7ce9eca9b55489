-- dialer_release(p_worker, p_asterisk, p_project) -> how many
-- A worker gives back the cases that it has claimed on an Asterisk and not dialled: those of one project, or all
-- (NULL).
CREATE OR REPLACE FUNCTION dialer_release(p_worker bigint, p_asterisk varchar, p_project varchar)
RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    SELECT dialer_claims_free(ARRAY(
        SELECT l.case_id FROM dialer_claims l
        WHERE l.worker_id = p_worker
          AND l.asterisk = p_asterisk
          AND l.attempt_id IS NULL
          AND (p_project IS NULL OR l.project_id = p_project)))
$$
