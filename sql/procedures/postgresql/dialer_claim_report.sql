-- dialer_claim_report(p_worker, p_asterisk, p_epoch, p_project, p_slow, p_now)
-- The owner of an Asterisk had to give up a claim: p_slow, a sentence, stands in dialer_warnings until one succeeds.
-- The project becomes hungry: the end of the transaction that was in the way may bring the cases it waits for.
CREATE OR REPLACE FUNCTION dialer_claim_report(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_project varchar,
    p_slow varchar,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        UPDATE dialer_projects j
        SET hungry = true, claims_slow = p_slow, claims_slow_at = coalesce(j.claims_slow_at, dialer_instant(p_now))
        WHERE j.project_id = p_project AND j.wanted = 'start';
    END IF;
END
$$
