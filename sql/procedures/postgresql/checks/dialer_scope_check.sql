-- dialer_scope_check(p_table, p_project_id, p_client, p_region, p_purpose)
-- The scope of a rule: refuses what no project or case could ever match, see dialer_refuse. For the triggers of the
-- tables of rules.
CREATE OR REPLACE FUNCTION dialer_scope_check(
    p_table varchar,
    p_project_id varchar,
    p_client varchar,
    p_region varchar,
    p_purpose varchar
)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF NOT dialer_printable(p_project_id) OR length(p_project_id) NOT BETWEEN 1 AND 100 THEN
        PERFORM dialer_refuse(p_table || '.project_id', p_project_id, 'write the name of a project, or NULL (any)');
    END IF;
    IF NOT dialer_printable(p_client) OR length(p_client) NOT BETWEEN 1 AND 100 THEN
        PERFORM dialer_refuse(p_table || '.client', p_client, 'write a client as in dialer_params.client, or NULL (any)');
    END IF;
    IF p_region !~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$' THEN
        PERFORM dialer_refuse(p_table || '.region', p_region,
            'write a country or a part of it by ISO 3166, like US or US-FL, or NULL (any)');
    END IF;
    IF p_purpose NOT IN ('sales', 'debt', 'research', 'service') THEN
        PERFORM dialer_refuse(p_table || '.purpose', p_purpose, 'write sales, debt, research or service, or NULL (any)');
    END IF;
END
$$
