-- dialer_pacing_save(p_worker, p_asterisk, p_epoch, p_states, p_now) -> bool
-- Keep what the pacing has learned. p_states: JSON array of {"project_id", "learned": a text of the pacing's own},
-- each project once. False: p_worker is not the owner, nothing is written.
CREATE OR REPLACE PROCEDURE dialer_pacing_save(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_states longtext,
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
        INSERT INTO dialer_pacing_state (project_id, learned, saved_at)
        SELECT json_value(p_states, concat('$[', s.seq, '].project_id')),
            json_value(p_states, concat('$[', s.seq, '].learned')), v_now
        FROM seq_0_to_9999 s
        WHERE s.seq < json_length(p_states)
        ORDER BY 1
        ON DUPLICATE KEY UPDATE learned = VALUES(learned), saved_at = VALUES(saved_at);
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_owns AS dialer_pacing_save;
END
