-- dialer_reap() -> how many cases were given back
-- Free what was claimed and not dialled under an ownership that is over: begin would refuse it anyway. Heals
-- `checked` where no claim stands behind it. Attempts that a dead worker has begun are for the new owner of
-- their Asterisk, which can ask it (dialer_open_attempts).
CREATE OR REPLACE FUNCTION dialer_reap()
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_freed bigint;
BEGIN
    v_freed := dialer_claims_free(ARRAY(
        SELECT l.case_id FROM dialer_claims l
        WHERE l.attempt_id IS NULL
          AND NOT EXISTS (
            SELECT FROM dialer_asterisks a
            WHERE a.asterisk = l.asterisk
              AND a.worker_id = l.worker_id
              AND a.epoch = l.epoch
              AND a.lease_until > clock_timestamp())));
    UPDATE dialer_clients c
    SET checked = false
    WHERE c.checked AND NOT EXISTS (SELECT FROM dialer_claims l WHERE l.case_id = c.id);
    RETURN v_freed;
END
$$
