-- dialer_pacing_save(p_worker, p_asterisk, p_epoch, p_states, p_now) -> bool
-- Keep what the pacing has learned. p_states: JSON array of {"project_id", "learned": a text of the pacing's own},
-- each project once. False: p_worker is not the owner, nothing is written.
CREATE OR REPLACE FUNCTION dialer_pacing_save(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_states text,
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
    INSERT INTO dialer_pacing_state (project_id, learned, saved_at)
    SELECT q.value ->> 'project_id', q.value ->> 'learned', v_now
    FROM jsonb_array_elements(p_states::jsonb) q (value)
    ORDER BY 1
    ON CONFLICT (project_id) DO UPDATE SET learned = excluded.learned, saved_at = excluded.saved_at;
    RETURN true;
END
$$
