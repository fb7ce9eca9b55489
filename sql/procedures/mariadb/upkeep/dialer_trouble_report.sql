-- dialer_trouble_report(p_worker, p_asterisk, p_epoch, p_kind, p_subject, p_step, p_detail, p_now)
-- The owner of an Asterisk reports what keeps one project, trunk, Asterisk, worker or case from being served there, and
-- at which step of its work (p_detail, a sentence), or that this is over (NULL). Readers see it in dialer_warnings,
-- dialer_why and /readyz; a trouble not reported for five minutes is over. A claim that was given up makes the project
-- hungry: when the transaction in its way ends, the cases it waits for may appear.
CREATE OR REPLACE PROCEDURE dialer_trouble_report(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_kind varchar(20),
    p_subject varchar(400),
    p_step varchar(40),
    p_detail text,
    p_now datetime(6)
)
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_owner int;
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
    -- Without the ownership's lock, which may be the very trouble, and not as IF EXISTS, which would lock the row; a
    -- report by a previous owner is soon forgotten.
    SELECT count(*) INTO v_owner FROM dialer_asterisks a
    WHERE a.asterisk = p_asterisk AND a.worker_id = p_worker AND a.epoch = p_epoch;
    IF v_owner > 0 THEN
        SELECT dialer_instant(p_now) INTO v_now;
        CALL dialer_trouble_write(p_kind, p_subject, p_asterisk, p_step, p_detail, v_now);
        IF p_kind = 'project' AND p_step = 'claim' AND p_detail IS NOT NULL THEN
            BEGIN
                -- Not if somebody holds the project's row: that may be the very trouble.
                DECLARE EXIT HANDLER FOR 1205 BEGIN END;
                SET STATEMENT innodb_lock_wait_timeout = 0 FOR
                UPDATE dialer_projects SET hungry = true WHERE project_id = p_subject AND NOT hungry;
            END;
        END IF;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
END
