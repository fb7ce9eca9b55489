-- dialer_agents_write(p_worker, p_asterisk, p_epoch, p_members, p_now)
-- What the owner of an Asterisk sees its queue members do: JSON array of {"queue", "interface", "name",
-- "state", "since": seconds ago}, all of them; a member that is not in it has left.
CREATE OR REPLACE FUNCTION dialer_agents_write(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_members text,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN;
    END IF;
    v_now := dialer_instant(p_now);
    DELETE FROM dialer_agents g
    WHERE g.asterisk = p_asterisk
      AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(p_members::jsonb) m (value)
        WHERE m.value ->> 'queue' = g.queue AND m.value ->> 'interface' = g.interface);
    INSERT INTO dialer_agents AS g (asterisk, queue, interface, name, state, since_at)
    SELECT p_asterisk, m.value ->> 'queue', m.value ->> 'interface', m.value ->> 'name', m.value ->> 'state',
        v_now - (m.value ->> 'since')::float8 * interval '1 second'
    FROM jsonb_array_elements(p_members::jsonb) m (value)
    ORDER BY 2, 3
    ON CONFLICT (asterisk, queue, interface) DO UPDATE
    SET name = excluded.name, state = excluded.state, since_at = excluded.since_at
    WHERE (g.name, g.state) IS DISTINCT FROM (excluded.name, excluded.state);
END
$$
