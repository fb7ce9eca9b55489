-- dialer_caller_id_rows: for each project of dialer_params the rows of dialer_caller_ids that may apply to a call of it,
-- by project, client and purpose; its region and prefix depend on the case (dialer_caller_id). number: the number in
-- caller_id, in one form. most_per_day: the least of all rows with that number, whatever their scope, so that no row lets
-- through what another forbids. For the dialer alone, one project at a time.
CREATE OR REPLACE VIEW dialer_caller_id_rows AS
SELECT
    p.project_id,
    i.id,
    i.caller_id,
    i.number,
    i.region,
    i.prefix,
    (SELECT min(o.most_per_day) FROM dialer_caller_ids o WHERE o.number = i.number) AS most_per_day
FROM dialer_params p
JOIN dialer_caller_ids i
    ON (i.project_id IS NULL OR i.project_id = p.project_id)
    AND (i.client IS NULL OR i.client = p.client)
    AND (i.purpose IS NULL OR i.purpose = p.purpose)
