-- dialer_project_retries: the rows of dialer_retries that apply to each project, but for their region, which is that of
-- a case. Of those that fit a case the one with the narrowest scope holds: a project's before a client's before a
-- region's (the longer one first) before a purpose's before any's; among equal ones the last that was written.
CREATE OR REPLACE VIEW dialer_project_retries AS
SELECT p.project_id, p.most_attempts, t.id, t.outcome, t.disposition, t.region, t.most,
    t.project_id IS NOT NULL AS of_project,
    t.client IS NOT NULL AS of_client,
    coalesce(char_length(t.region), 0) AS of_region,
    t.purpose IS NOT NULL AS of_purpose
FROM dialer_params p
JOIN dialer_retries t ON (t.project_id IS NULL OR t.project_id = p.project_id)
    AND (t.client IS NULL OR t.client = p.client)
    AND (t.purpose IS NULL OR t.purpose = p.purpose)
