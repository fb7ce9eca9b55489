-- dialer_trunk_settle(p_trunk, p_asterisk, p_reached, p_at)
-- What the end of an attempt says about its trunk. p_reached true: it gave a sign of life at p_at; false: one more in
-- the streak, ended at p_at; NULL: nothing. A conversation that was answered before the streak began says nothing about
-- the carrier now, so its end does not break the streak. The caller holds the row (dialer_trunk_lock).
CREATE OR REPLACE FUNCTION dialer_trunk_settle(
    p_trunk varchar,
    p_asterisk varchar,
    p_reached bool,
    p_at timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_reached THEN
        UPDATE dialer_trunk_states t
        SET streak = CASE WHEN p_at < t.silent_at THEN t.streak ELSE 0 END,
            silent_at = CASE WHEN p_at < t.silent_at THEN t.silent_at END,
            sound_at = greatest(t.sound_at, p_at)
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
        UPDATE dialer_trunk_states t
        SET state = 'ok', since_at = p_at, reason = NULL, retry_at = NULL, retries = 0
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk AND t.state = 'failing' AND t.since_at <= p_at;
    ELSIF NOT p_reached THEN
        UPDATE dialer_trunk_states t
        SET streak = t.streak + 1,
            silent_at = CASE WHEN t.streak = 0 THEN p_at ELSE least(t.silent_at, p_at) END
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    END IF;
END
$$
