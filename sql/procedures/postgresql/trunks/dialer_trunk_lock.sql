-- dialer_trunk_lock(p_trunk, p_asterisk)
-- Lock what the dialer knows about a trunk (dialer_trunk_states) for the transaction; dialer_trunks itself, which
-- people edit, is only read. If a failing trunk's template has changed, the trunk begins anew.
CREATE OR REPLACE FUNCTION dialer_trunk_lock(p_trunk varchar, p_asterisk varchar)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_state dialer_trunk_states;
BEGIN
    SELECT * INTO v_state FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO dialer_trunk_states (trunk, asterisk) VALUES (p_trunk, p_asterisk) ON CONFLICT DO NOTHING;
        PERFORM FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk FOR UPDATE;
    ELSIF v_state.state = 'failing' AND v_state.dial_template IS DISTINCT FROM (
        SELECT t.dial_template FROM dialer_trunks t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk)
    THEN
        UPDATE dialer_trunk_states s
        SET state = 'ok', reason = NULL, since_at = now(), retry_at = NULL, retries = 0, streak = 0, silent_at = NULL
        WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk;
    END IF;
END
$$
