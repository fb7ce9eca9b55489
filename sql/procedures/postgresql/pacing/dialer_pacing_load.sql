-- dialer_pacing_load(p_project) -> learned, saved_at
-- What the pacing of a project had learned when it was last saved; no row: nothing yet.
CREATE OR REPLACE FUNCTION dialer_pacing_load(p_project varchar)
RETURNS TABLE (learned text, saved_at timestamptz)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT s.learned, s.saved_at FROM dialer_pacing_state s WHERE s.project_id = p_project
$$
