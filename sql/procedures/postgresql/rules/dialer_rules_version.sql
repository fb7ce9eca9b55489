-- dialer_rules_version: one row, with another version after each change of rules that concerns more than one number,
-- from the moment that it can be seen: what was found out by another version is asked afresh (dialer_windows).
CREATE OR REPLACE VIEW dialer_rules_version AS
SELECT (s.passes || ':' || coalesce((
    SELECT sum(c.id) FROM dialer_rule_changes c WHERE c.number IS NULL), 0))::varchar AS version
FROM dialer_screening s
