-- dialer_caller_id_lock(p_numbers)
-- Lock these caller IDs (a JSON array of numbers, none NULL) for the transaction, in their order, so that two projects
-- that share one do not both make its last call. dialer_caller_ids itself, which people edit, is only read.
CREATE OR REPLACE FUNCTION dialer_caller_id_lock(p_numbers text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO dialer_caller_id_states (number)
    SELECT DISTINCT n.number
    FROM jsonb_array_elements_text(p_numbers::jsonb) n (number)
    WHERE NOT EXISTS (SELECT FROM dialer_caller_id_states s WHERE s.number = n.number)
    ORDER BY n.number
    ON CONFLICT DO NOTHING;
    PERFORM FROM dialer_caller_id_states s
    WHERE s.number IN (SELECT n.number FROM jsonb_array_elements_text(p_numbers::jsonb) n (number))
    ORDER BY s.number
    FOR UPDATE;
END
$$
