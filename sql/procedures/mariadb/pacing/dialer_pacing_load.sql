-- dialer_pacing_load(p_project) -> learned, saved_at
-- What the pacing of a project had learned when it was last saved; no row: nothing yet.
CREATE OR REPLACE PROCEDURE dialer_pacing_load(p_project varchar(400))
READS SQL DATA
SELECT s.learned, s.saved_at FROM dialer_pacing_state s WHERE s.project_id = p_project
