-- dialer_asterisk_report(p_worker, p_asterisk, p_epoch, p_state, p_reason)
-- The owner reports the state of its Asterisk: up, or down with the reason. Readers see it at once.
CREATE OR REPLACE FUNCTION dialer_asterisk_report(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_state varchar,
    p_reason varchar
)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    UPDATE dialer_asterisks
    SET since_at = CASE WHEN state = p_state THEN since_at ELSE clock_timestamp() END,
        state = p_state,
        reason = p_reason
    WHERE asterisk = p_asterisk AND worker_id = p_worker AND epoch = p_epoch
$$
