-- dialer_project_report(p_worker, p_asterisk, p_epoch, p_project, p_reason, p_now)
-- The owner of an Asterisk reports that a project cannot be dialled there (p_reason, a sentence with the remedy), or
-- that it can (NULL). This says nothing about other Asterisks. The worker checks again by itself: after 5 s, then at
-- growing intervals of up to a minute.
CREATE OR REPLACE PROCEDURE dialer_project_report(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_project varchar(400),
    p_reason text,
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
    SELECT dialer_instant(p_now) INTO v_now;
    IF v_owns AND p_reason IS NULL THEN
        DELETE FROM dialer_fitness WHERE project_id = p_project AND asterisk = p_asterisk;
    ELSEIF v_owns THEN
        INSERT INTO dialer_fitness (project_id, asterisk, reason, since_at, until_at, retries)
        VALUES (p_project, p_asterisk, left(p_reason, 1000), v_now, v_now + INTERVAL dialer_backoff(5, 0, 60) SECOND, 1)
        -- MariaDB assigns from left to right; each assignment sees those before it.
        ON DUPLICATE KEY UPDATE
            reason = VALUES(reason),
            until_at = v_now + INTERVAL dialer_backoff(5, retries, 60) SECOND,
            retries = retries + 1;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
END
