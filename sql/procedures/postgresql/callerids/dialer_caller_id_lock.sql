-- dialer_caller_id_lock(p_numbers)
-- Lock what may be used up of these caller IDs for the transaction, in the order of their numbers, so that two projects
-- that share one do not both make its last call. dialer_caller_ids itself, which people edit, is only read.
CREATE OR REPLACE FUNCTION dialer_caller_id_lock(p_numbers varchar[])
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO dialer_caller_id_states (number)
    SELECT DISTINCT n.number
    FROM unnest(p_numbers) n (number)
    WHERE NOT EXISTS (SELECT FROM dialer_caller_id_states s WHERE s.number = n.number)
    ORDER BY n.number
    ON CONFLICT DO NOTHING;
    PERFORM FROM dialer_caller_id_states s WHERE s.number = ANY (p_numbers) ORDER BY s.number FOR UPDATE;
END
$$
