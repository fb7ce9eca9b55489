-- dialer_reap() -> how many cases were given back
-- Free cases claimed and not dialled under an ownership that is over: begin would refuse them anyway. Settles calls
-- whose case was held by somebody's transaction when they ended, and moves calls into the ledger that had to wait for
-- it (dialer_post). Corrects `checked` where there is no claim. Locked rows are left for the next time. Attempts begun
-- by a dead worker are left to the new owner of their Asterisk, which can ask it (dialer_open_attempts). Deletes what
-- has expired (dialer_prune).
CREATE OR REPLACE FUNCTION dialer_reap()
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_freed bigint;
    v_late record;
    v_held int := 0;  -- how many were held by somebody's transaction
BEGIN
    v_freed := dialer_claims_free(ARRAY(
        SELECT l.case_id FROM dialer_claims l
        WHERE l.attempt_id IS NULL
          AND NOT EXISTS (
            SELECT FROM dialer_asterisks a
            WHERE a.asterisk = l.asterisk
              AND a.worker_id = l.worker_id
              AND a.epoch = l.epoch
              AND dialer_lease_alive(a.lease_until, a.lease_seconds))));
    FOR v_late IN
        SELECT a.id, a.ended_at, o.reached OR coalesce(a.ringing_at, a.answered_at) IS NOT NULL AS reached
        FROM dialer_calls a
        JOIN dialer_outcomes o ON o.outcome = a.outcome
        WHERE a.ended_at IS NOT NULL AND a.effect IS NULL
        ORDER BY a.case_id
        FOR UPDATE OF a SKIP LOCKED
    LOOP
        PERFORM FROM dialer_claims l WHERE l.attempt_id = v_late.id FOR UPDATE;
        IF dialer_case_settle(v_late.id, v_late.reached, v_late.ended_at) THEN
            DELETE FROM dialer_claims l WHERE l.attempt_id = v_late.id;
        END IF;
    END LOOP;
    FOR v_late IN
        SELECT a.id FROM dialer_calls a
        WHERE a.ended_at IS NOT NULL AND a.effect IS NOT NULL
        -- Those never refused come first, then those refused before, each in its turn.
        ORDER BY a.not_posted IS NOT NULL, random()
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    LOOP
        v_held := v_held + (dialer_post(v_late.id) IS NULL)::int;
        EXIT WHEN v_held = 10;
    END LOOP;
    UPDATE dialer_clients c
    SET checked = false
    WHERE c.id IN (
        SELECT h.id FROM dialer_clients h
        WHERE h.checked AND NOT EXISTS (SELECT FROM dialer_claims l WHERE l.case_id = h.id)
        FOR UPDATE SKIP LOCKED);
    PERFORM dialer_prune(NULL);
    RETURN v_freed;
END
$$
