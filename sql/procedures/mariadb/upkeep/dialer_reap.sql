-- dialer_reap() -> how many cases were given back
-- Free cases claimed and not dialled under an ownership that is over: begin would refuse them anyway. Settles calls
-- whose case was held by somebody's transaction when they ended, and moves calls into the ledger that had to wait for
-- it (dialer_post). Corrects `checked` where there is no claim. Locked rows are left for the next time. Attempts begun
-- by a dead worker are left to the new owner of their Asterisk, which can ask it (dialer_open_attempts). Deletes what
-- has expired (dialer_prune).
CREATE OR REPLACE PROCEDURE dialer_reap()
BEGIN
    DECLARE v_cases longtext;
    DECLARE v_freed bigint;
    DECLARE v_id bigint;
    DECLARE v_settled tinyint(1);
    DECLARE v_posted tinyint(1);
    DECLARE v_held int DEFAULT 0;  -- how many were held by somebody's transaction
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
    SELECT group_concat(l.case_id) INTO v_cases
    FROM dialer_claims l
    WHERE l.attempt_id IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM dialer_asterisks a
        WHERE a.asterisk = l.asterisk
          AND a.worker_id = l.worker_id
          AND a.epoch = l.epoch
          AND dialer_lease_alive(a.lease_until, a.lease_seconds));
    CALL dialer_claims_free(v_cases, v_freed);
    FOR late IN (
        SELECT a.id, a.case_id, a.ended_at, o.reached OR coalesce(a.ringing_at, a.answered_at) IS NOT NULL AS reached
        FROM dialer_calls a
        JOIN dialer_outcomes o ON o.outcome = a.outcome
        WHERE a.ended_at IS NOT NULL AND a.effect IS NULL
        ORDER BY a.case_id
    ) DO
        SET v_id = NULL;
        -- A short wait, since only routines hold claims.
        SELECT l.case_id INTO v_id FROM dialer_claims l
        WHERE l.case_id = late.case_id AND l.attempt_id = late.id FOR UPDATE;
        SET v_id = NULL;
        SELECT a.id INTO v_id FROM dialer_calls a WHERE a.id = late.id AND a.effect IS NULL FOR UPDATE;
        IF v_id IS NOT NULL THEN
            CALL dialer_case_settle(late.id, late.reached, late.ended_at, v_settled);
            IF v_settled THEN
                DELETE FROM dialer_claims WHERE case_id = late.case_id AND attempt_id = late.id;
            END IF;
        END IF;
    END FOR;
    FOR ended IN (
        SELECT a.id FROM dialer_calls a
        WHERE a.ended_at IS NOT NULL AND a.effect IS NOT NULL
        -- Those never refused come first, then those refused before, each in its turn.
        ORDER BY a.not_posted IS NOT NULL, rand()
        LIMIT 1000
    ) DO
        IF v_held < 10 THEN
            CALL dialer_post(ended.id, v_posted);
            SET v_held = v_held + (v_posted IS NULL);
        END IF;
    END FOR;
    FOR alone IN (
        SELECT c.id FROM dialer_clients c
        WHERE c.checked = 1 AND NOT EXISTS (SELECT 1 FROM dialer_claims l WHERE l.case_id = c.id)
    ) DO
        BEGIN
            DECLARE EXIT HANDLER FOR 1205 BEGIN END;  -- somebody holds it: next time
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            UPDATE dialer_clients c SET c.checked = false
            WHERE c.id = alone.id AND NOT EXISTS (SELECT 1 FROM dialer_claims l WHERE l.case_id = alone.id);
        END;
    END FOR;
    CALL dialer_prune(NULL);
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_freed AS dialer_reap;
END
