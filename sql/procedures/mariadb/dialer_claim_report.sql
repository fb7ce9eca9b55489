-- dialer_claim_report(p_worker, p_asterisk, p_epoch, p_project, p_slow, p_now)
-- The owner of an Asterisk had to give up a claim: p_slow, a sentence, stands in dialer_warnings until one succeeds.
-- The project becomes hungry: the end of the transaction that was in the way may bring the cases it waits for.
CREATE OR REPLACE PROCEDURE dialer_claim_report(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_project varchar(400),
    p_slow varchar(400),
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
    IF v_owns THEN
        UPDATE dialer_projects
        SET hungry = true, claims_slow = p_slow, claims_slow_at = coalesce(claims_slow_at, v_now)
        WHERE project_id = p_project AND wanted = 'start';
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
END
