-- dialer_abandon_count(p_project, p_counts_as, p_since) -> how many
-- Attempts of a project that ended after an instant and count as connected, abandoned or lost
-- (counts_as): one range of an index that holds nothing else, plus those whose end is not in the ledger yet.
CREATE OR REPLACE FUNCTION dialer_abandon_count(
    p_project varchar(400),
    p_counts_as varchar(9),
    p_since datetime(6)
)
RETURNS bigint
READS SQL DATA
RETURN (
    SELECT (SELECT count(*) FROM dialer_attempts a
            WHERE a.project_id = p_project AND a.counts_as = p_counts_as AND a.ended_at > p_since)
        + (SELECT count(*) FROM dialer_calls c
            WHERE c.project_id = p_project AND c.counts_as = p_counts_as AND c.ended_at > p_since)
)
