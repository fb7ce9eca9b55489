-- dialer_archive(p_attempts, p_started_at, p_file) -> how many
-- Delete attempts of the ledger that have been written into a file, and note in dialer_archives how many of each project
-- that were. p_attempts: JSON array of ids that dialer_archivable has let go; p_started_at: when the run began, the same
-- in all its calls; p_file: the file's name. dialer_forgotten has none of them. The caller has read and locked the rows,
-- in this transaction, so what is deleted is what is in the file. Locks: the attempts, then the run's rows of
-- dialer_archives, which nobody else writes.
CREATE OR REPLACE FUNCTION dialer_archive(p_attempts text, p_started_at timestamptz, p_file varchar)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_deleted bigint;
BEGIN
    PERFORM set_config('dialer.archiving', 'on', true);
    WITH gone AS (
        DELETE FROM dialer_attempts a
        WHERE a.id = ANY (ARRAY(SELECT e.id::bigint FROM jsonb_array_elements_text(p_attempts::jsonb) e (id)))
        RETURNING a.project_id, a.begun_at, a.reach
    ), noted AS (
        INSERT INTO dialer_archives AS d (started_at, project_id, file_name, attempts, begun_at)
        SELECT p_started_at, g.project_id, p_file, count(*), max(g.begun_at) FILTER (WHERE g.reach > 0)
        FROM gone g
        GROUP BY g.project_id
        ON CONFLICT (started_at, project_id) DO UPDATE
        SET attempts = d.attempts + excluded.attempts,
            begun_at = greatest(d.begun_at, excluded.begun_at)
    )
    SELECT count(*) INTO v_deleted FROM gone;
    PERFORM set_config('dialer.archiving', '', true);
    RETURN v_deleted;
END
$$
