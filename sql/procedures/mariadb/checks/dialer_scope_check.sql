-- dialer_scope_check(p_table, p_project, p_client, p_region, p_purpose)
-- Refuse a scope of a rule that nothing could ever be in, see dialer_refuse. For the triggers of the tables of rules.
CREATE OR REPLACE PROCEDURE dialer_scope_check(
    p_table varchar(400),
    p_project varchar(400),
    p_client varchar(400),
    p_region varchar(400),
    p_purpose varchar(400)
)
NO SQL
BEGIN
    IF NOT dialer_printable(p_project) OR char_length(p_project) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse(concat(p_table, '.project_id'), p_project,
            'write the name of a project, up to 100 characters, or NULL (any)');
    END IF;
    IF NOT dialer_printable(p_client) OR char_length(p_client) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse(concat(p_table, '.client'), p_client,
            'write the name of a client, up to 100 characters, or NULL (any)');
    END IF;
    IF p_region NOT REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z' THEN
        CALL dialer_refuse(concat(p_table, '.region'), p_region,
            'write a country like US, or a part of it like US-FL (ISO 3166-2), or NULL (any)');
    END IF;
    IF p_purpose NOT IN ('sales', 'debt', 'research', 'service') THEN
        CALL dialer_refuse(concat(p_table, '.purpose'), p_purpose,
            'write sales, debt, research, service or NULL (any)');
    END IF;
END
