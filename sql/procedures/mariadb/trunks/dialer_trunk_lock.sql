-- dialer_trunk_lock(p_trunk, p_asterisk)
-- Lock what the dialer knows about a trunk (dialer_trunk_states) for the transaction; dialer_trunks itself, which
-- people edit, is only read. If a failing trunk's template has changed, the trunk begins anew.
CREATE OR REPLACE PROCEDURE dialer_trunk_lock(p_trunk varchar(400), p_asterisk varchar(400))
BEGIN
    DECLARE v_state varchar(20);
    DECLARE v_failed varchar(400);
    DECLARE v_template varchar(400);
    SELECT s.state, s.dial_template INTO v_state, v_failed
    FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk FOR UPDATE;
    IF v_state IS NULL AND p_trunk IS NOT NULL THEN
        INSERT IGNORE INTO dialer_trunk_states (trunk, asterisk) VALUES (p_trunk, p_asterisk);
        SELECT s.state INTO v_state
        FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk FOR UPDATE;
    ELSEIF v_state = 'failing' THEN
        SELECT max(t.dial_template) INTO v_template
        FROM dialer_trunks t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
        IF NOT v_failed <=> v_template THEN
            UPDATE dialer_trunk_states
            SET state = 'ok', reason = NULL, since_at = now(6), retry_at = NULL, retries = 0, streak = 0, silent_at = NULL
            WHERE trunk = p_trunk AND asterisk = p_asterisk;
        END IF;
    END IF;
END
