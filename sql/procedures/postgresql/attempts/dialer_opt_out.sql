-- dialer_opt_out(p_opt_outs, p_now) -> how many of them are new
-- Subscribers asked in a call not to be called again. p_opt_outs: JSON array of {"attempt_id", "key": what was pressed
-- ('': unknown), "ago": seconds since}. Writes the attempt's number into dialer_dnc, for the projects that its own
-- project's opt_out_scope says; the same one twice is one row. It does not matter who owns the Asterisk: the request
-- counts, whoever reports it. The case is used up when the call ends; if the call has ended already (and the agent's code
-- does not say wrong number), it is withdrawn here, as it may have further numbers. It waits for no row of cases, calls
-- or projects: a case that somebody's open transaction holds is left as it is.
CREATE OR REPLACE FUNCTION dialer_opt_out(p_opt_outs text, p_now timestamptz)
RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz := dialer_instant(p_now);
    v_new int;
BEGIN
    INSERT INTO dialer_dnc (number, project_id, client, reason, attempt_id, added_at)
    SELECT coalesce(nullif(a.number, ''), a.phone_number),
        CASE WHEN r.opt_out_scope = 'project' THEN a.project_id END,
        CASE WHEN r.opt_out_scope = 'client' THEN r.client END,
        coalesce('the subscriber pressed ' || nullif(left(q.value ->> 'key', 1), ''), 'the subscriber opted out')
            || ' in a call of project ' || a.project_id,
        a.id,
        v_now - coalesce((q.value ->> 'ago')::float8, 0) * interval '1 second'
    FROM jsonb_array_elements(p_opt_outs::jsonb) q (value)
    JOIN LATERAL (
        SELECT c.id, c.number, c.phone_number, c.project_id
        FROM dialer_calls c WHERE c.id = (q.value ->> 'attempt_id')::bigint
        UNION ALL
        SELECT e.id, e.number, e.phone_number, e.project_id
        FROM dialer_attempts e WHERE e.id = (q.value ->> 'attempt_id')::bigint
    ) a ON true
    LEFT JOIN dialer_rules r ON r.project_id = a.project_id
    ORDER BY a.id
    ON CONFLICT (attempt_id, number) WHERE attempt_id IS NOT NULL DO NOTHING;
    GET DIAGNOSTICS v_new = ROW_COUNT;
    UPDATE dialer_clients c
    SET used = true
    WHERE c.id IN (
        SELECT k.id
        FROM jsonb_array_elements(p_opt_outs::jsonb) q (value)
        JOIN dialer_stat_attempt a ON a.attempt_id = (q.value ->> 'attempt_id')::bigint
        JOIN dialer_clients k ON k.id = a.case_id
        WHERE a.ended_at IS NOT NULL AND NOT k.used AND NOT dialer_wrong_number(a.disposition)
          AND (k.project_id, k.phone_number, k.inserted_at, k.brought_back)
            = (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back)
          AND EXISTS (
            SELECT FROM dialer_case_numbers f WHERE f.case_id = k.id AND f.case_inserted_at = k.inserted_at)
        FOR UPDATE OF k SKIP LOCKED);
    RETURN v_new;
END
$$
