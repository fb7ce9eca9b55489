-- dialer_trunk_settle(p_trunk, p_asterisk, p_reached, p_at)
-- What the end of an attempt says about its trunk. p_reached true: it gave a sign of life at p_at; false: one more in
-- the streak, ended at p_at; NULL: nothing. A conversation that was answered before the streak began says nothing about
-- the carrier now, so its end does not break the streak. The caller holds the row (dialer_trunk_lock).
CREATE OR REPLACE PROCEDURE dialer_trunk_settle(
    p_trunk varchar(400),
    p_asterisk varchar(400),
    p_reached tinyint(1),
    p_at datetime(6)
)
BEGIN
    -- MariaDB assigns from left to right; each assignment sees those before it.
    IF p_reached THEN
        UPDATE dialer_trunk_states
        SET streak = CASE WHEN p_at < silent_at THEN streak ELSE 0 END,
            silent_at = CASE WHEN p_at < silent_at THEN silent_at END,
            sound_at = greatest(coalesce(sound_at, p_at), p_at)
        WHERE trunk = p_trunk AND asterisk = p_asterisk;
        UPDATE dialer_trunk_states
        SET state = 'ok', since_at = p_at, reason = NULL, retry_at = NULL, retries = 0
        WHERE trunk = p_trunk AND asterisk = p_asterisk AND state = 'failing' AND since_at <= p_at;
    ELSEIF NOT p_reached THEN
        UPDATE dialer_trunk_states
        SET silent_at = CASE WHEN streak = 0 THEN p_at ELSE least(coalesce(silent_at, p_at), p_at) END,
            streak = streak + 1
        WHERE trunk = p_trunk AND asterisk = p_asterisk;
    END IF;
END
