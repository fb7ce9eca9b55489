-- dialer_trunk_settle(p_trunk, p_asterisk, p_reached, p_now)
-- What the end of an attempt says of its trunk: p_reached true, it works; false, one more in the streak;
-- NULL, nothing. The caller holds the trunk's row.
CREATE OR REPLACE FUNCTION dialer_trunk_settle(
    p_trunk varchar,
    p_asterisk varchar,
    p_reached bool,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_reached THEN
        UPDATE dialer_trunks t
        SET streak = 0,
            sound_at = p_now,
            retries = 0,
            retry_at = NULL,
            reason = NULL,
            since_at = CASE WHEN t.state = 'ok' THEN t.since_at ELSE p_now END,
            state = 'ok'
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    ELSIF NOT p_reached THEN
        UPDATE dialer_trunks t
        SET streak = t.streak + 1
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    END IF;
END
$$
