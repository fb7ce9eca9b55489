-- dialer_asterisk_report(p_worker, p_asterisk, p_epoch, p_state, p_reason)
-- The owner reports the state of its Asterisk: up, or down with the reason. Readers see it at once.
CREATE OR REPLACE PROCEDURE dialer_asterisk_report(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_state varchar(20),
    p_reason varchar(1000)
)
UPDATE dialer_asterisks
SET since_at = IF(state = p_state, since_at, sysdate(6)),
    state = p_state,
    reason = p_reason
WHERE asterisk = p_asterisk AND worker_id = p_worker AND epoch = p_epoch
