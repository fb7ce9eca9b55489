-- dialer_archive(p_attempts, p_started_at, p_file) -> how many
-- Delete attempts of the ledger that have been written into a file, and note in dialer_archives how many of each project
-- that were. p_attempts: JSON array of ids that dialer_archivable has let go; p_started_at: when the run began, the same
-- in all its calls; p_file: the file's name. dialer_forgotten has none of them. The caller has read and locked the rows,
-- in this transaction, so what is deleted is what is in the file. Locks: the attempts, then the run's rows of
-- dialer_archives, which nobody else writes.
CREATE OR REPLACE PROCEDURE dialer_archive(p_attempts longtext, p_started_at datetime(6), p_file varchar(1000))
BEGIN
    DECLARE v_deleted bigint;
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_archiving = NULL;
        IF v_own THEN
            ROLLBACK;
        END IF;
        RESIGNAL;
    END;
    -- Inside somebody's transaction it is a part of that one.
    IF v_own THEN
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        START TRANSACTION;
    END IF;
    -- JSON_TABLE came with 10.6. First to variables: an INSERT … SELECT would lock what it reads.
    FOR gone IN (
        SELECT a.project_id, count(*) AS attempts, max(IF(a.reach > 0, a.begun_at, NULL)) AS begun_at
        FROM seq_0_to_9999 s
        STRAIGHT_JOIN dialer_attempts a ON a.id = CAST(json_value(p_attempts, concat('$[', s.seq, ']')) AS signed)
        WHERE s.seq < json_length(p_attempts)
        GROUP BY a.project_id
    ) DO
        INSERT INTO dialer_archives (started_at, project_id, file_name, attempts, begun_at)
        VALUES (p_started_at, gone.project_id, p_file, gone.attempts, gone.begun_at)
        ON DUPLICATE KEY UPDATE
            attempts = attempts + VALUES(attempts),
            begun_at = coalesce(greatest(begun_at, VALUES(begun_at)), begun_at, VALUES(begun_at));
    END FOR;
    SET @dialer_archiving = true;
    DELETE a
    FROM seq_0_to_9999 s
    STRAIGHT_JOIN dialer_attempts a ON a.id = CAST(json_value(p_attempts, concat('$[', s.seq, ']')) AS signed)
    WHERE s.seq < json_length(p_attempts);
    SET v_deleted = row_count();
    SET @dialer_archiving = NULL;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_deleted AS dialer_archive;
END
