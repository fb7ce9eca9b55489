-- dialer_rules_version() -> text
-- Another one after each change of rules that concerns more than one number, from the moment that it can be seen: what was found out by another version
-- is asked afresh (dialer_windows).
CREATE OR REPLACE FUNCTION dialer_rules_version()
RETURNS varchar
-- Not LANGUAGE sql: that would be planned again for each query that calls it.
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (SELECT s.passes FROM dialer_screening s) || ':' || coalesce((
        SELECT sum(c.id) FROM dialer_rule_changes c WHERE c.number IS NULL), 0);
END
$$
