-- dialer_journal_write(p_worker, p_asterisk, p_epoch, p_rows, p_now) -> bool
-- Write decisions of the pacing, oldest first. p_rows: JSON array of {"project_id", "ago": seconds since then, "mode",
-- "quota", "granted", "reason", "inputs": a text that is JSON itself}. False: p_worker is not the owner, nothing is
-- written.
CREATE OR REPLACE PROCEDURE dialer_journal_write(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_rows longtext,
    p_now datetime(6)
)
BEGIN
    DECLARE v_owns tinyint(1);
    DECLARE v_now datetime(6);
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
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
    CALL dialer_owns(p_worker, p_asterisk, p_epoch, v_owns);
    IF v_owns THEN
        SELECT dialer_instant(p_now) INTO v_now;
        -- JSON_TABLE came with 10.6.
        INSERT INTO dialer_pacing_journal (at, asterisk, project_id, mode, quota, granted, reason, inputs)
        SELECT v_now - INTERVAL CAST(json_value(p_rows, concat('$[', s.seq, '].ago')) AS decimal(20, 6)) SECOND,
            p_asterisk,
            json_value(p_rows, concat('$[', s.seq, '].project_id')),
            json_value(p_rows, concat('$[', s.seq, '].mode')),
            json_value(p_rows, concat('$[', s.seq, '].quota')),
            json_value(p_rows, concat('$[', s.seq, '].granted')),
            left(json_value(p_rows, concat('$[', s.seq, '].reason')), 1000),
            json_value(p_rows, concat('$[', s.seq, '].inputs'))
        FROM seq_0_to_9999 s
        WHERE s.seq < json_length(p_rows)
        ORDER BY s.seq;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_owns AS dialer_journal_write;
END
