-- dialer_journal_write(p_worker, p_asterisk, p_epoch, p_rows, p_now) -> bool
-- Write decisions of the pacing, oldest first. p_rows: JSON array of {"project_id", "ago": seconds since then, "mode",
-- "quota", "granted", "reason", "inputs": a text that is JSON itself}. False: p_worker is not the owner, nothing is
-- written.
CREATE OR REPLACE FUNCTION dialer_journal_write(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_rows text,
    p_now timestamptz
)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN false;
    END IF;
    v_now := dialer_instant(p_now);
    INSERT INTO dialer_pacing_journal (at, asterisk, project_id, mode, quota, granted, reason, inputs)
    SELECT v_now - (q.value ->> 'ago')::float8 * interval '1 second', p_asterisk, q.value ->> 'project_id',
        q.value ->> 'mode', (q.value ->> 'quota')::int, (q.value ->> 'granted')::int,
        left(q.value ->> 'reason', 1000), q.value ->> 'inputs'
    FROM jsonb_array_elements(p_rows::jsonb) WITH ORDINALITY q (value, ordinality)
    ORDER BY q.ordinality;
    RETURN true;
END
$$
