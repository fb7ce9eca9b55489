-- dialer_attempt_finish(p_worker, p_asterisk, p_epoch, p_reports, p_now) -> bool
-- How calls have ended. p_reports: JSON array of {"attempt_id", "outcome", "cause", "detail", "ended": seconds
-- ago, "steps", "agent", "amd", "keys"} (as in dialer_attempt_advance). An attempt ends once: its outcome, the case's
-- next call (dialer_case_settle), the number, the claim and the trunk's streak change in this one transaction; the same
-- report again changes nothing. Then the attempt goes into the ledger and dialer_stat (dialer_post). False: p_worker is
-- not the owner, nothing is written. "unsent": true means that Originate was never sent, so the end says nothing about
-- the trunk. Whatever the report says, a call that AMD() took for a machine and that no agent spoke to is MACHINE, and
-- not abandoned. A person's patience (abandon_seconds) begins with AMD's verdict if there is one: the completed
-- greeting of 16 CFR 310.4(b)(4). Whoever asks for an agent after a message (autoinforming) has not been abandoned. A
-- number that was abandoned goes into dialer_abandoned (dialer_abandoned_add); one that is to rest, into
-- dialer_number_pauses (dialer_pause_add).
-- Locks, in this order: Asterisk, trunks (dialer_trunk_lock), attempts, numbers, claims, cases.
CREATE OR REPLACE PROCEDURE dialer_attempt_finish(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_reports longtext,
    p_now datetime(6)
)
BEGIN
    DECLARE v_owns tinyint(1);
    DECLARE v_now datetime(6);
    DECLARE v_id bigint;
    DECLARE v_outcome varchar(1000);
    DECLARE v_limit datetime(6);
    DECLARE v_ended datetime(6);
    DECLARE v_life datetime(6);
    DECLARE v_says tinyint(1);
    DECLARE v_reached tinyint(1);
    DECLARE v_settled tinyint(1);
    DECLARE v_posted tinyint(1) DEFAULT true;
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
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_reports (
        attempt_id bigint NOT NULL,
        seq int NOT NULL,
        trunk varchar(200) NOT NULL,
        is_silent tinyint(1) NOT NULL DEFAULT false,
        PRIMARY KEY (attempt_id, seq)
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    DELETE FROM dialer_reports;
    work: BEGIN
        CALL dialer_owns(p_worker, p_asterisk, p_epoch, v_owns);
        IF NOT v_owns THEN
            LEAVE work;
        END IF;
        SELECT dialer_instant(p_now) INTO v_now;
        -- JSON_TABLE came with 10.6.
        INSERT INTO dialer_reports (attempt_id, seq, trunk)
        SELECT a.id, s.seq, a.trunk
        FROM seq_0_to_9999 s
        STRAIGHT_JOIN dialer_calls a
            ON a.id = CAST(json_value(p_reports, concat('$[', s.seq, '].attempt_id')) AS signed)
            AND a.asterisk = p_asterisk
        WHERE s.seq < json_length(p_reports);
        FOR t IN (SELECT DISTINCT q.trunk FROM dialer_reports q ORDER BY q.trunk) DO
            CALL dialer_trunk_lock(t.trunk, p_asterisk);
        END FOR;
        FOR report IN (
            SELECT q.attempt_id, q.seq, json_extract(p_reports, concat('$[', q.seq, ']')) AS value
            FROM dialer_reports q ORDER BY q.attempt_id, q.seq
        ) DO
            SET v_id = NULL;
            SELECT a.id INTO v_id FROM dialer_calls a
            WHERE a.id = report.attempt_id AND a.asterisk = p_asterisk AND a.ended_at IS NULL
            FOR UPDATE;
            IF v_id IS NOT NULL THEN
                CALL dialer_attempt_step(v_id, report.value, v_now);
                SET v_ended = v_now - INTERVAL coalesce(CAST(json_value(report.value, '$.ended') AS decimal(20, 6)), 0) SECOND,
                    v_outcome = json_value(report.value, '$.outcome');
                SELECT IF(a.amd_verdict = 'MACHINE' AND a.agent_at IS NULL
                        AND v_outcome IN ('ANSWERED', 'ABANDONED', 'EARLY_HANGUP'), 'MACHINE', v_outcome),
                    IF(a.amd_verdict IN ('HUMAN', 'NOTSURE'), coalesce(a.amd_at, a.answered_at), a.answered_at)
                        + INTERVAL a.abandon_seconds SECOND
                INTO v_outcome, v_limit
                FROM dialer_calls a WHERE a.id = v_id;
                UPDATE dialer_calls a
                SET a.state = 'ended',
                    a.outcome = v_outcome,
                    a.cause = json_value(report.value, '$.cause'),
                    a.detail = left(json_value(report.value, '$.detail'), 400),
                    a.ended_at = v_ended,
                    a.ring_seconds = timestampdiff(MICROSECOND, coalesce(a.ringing_at, a.dialing_at),
                        coalesce(a.answered_at, v_ended)) / 1000000,
                    a.wait_seconds = timestampdiff(MICROSECOND, a.answered_at, coalesce(a.agent_at, v_ended)) / 1000000,
                    a.talk_seconds = timestampdiff(MICROSECOND, CASE
                        WHEN a.agent_at IS NOT NULL THEN a.agent_at
                        WHEN v_outcome = 'ANSWERED' THEN a.answered_at
                    END, v_ended) / 1000000,
                    a.abandoned_at = CASE
                        WHEN v_outcome = 'ABANDONED' OR (v_outcome = 'ANSWERED' AND a.type <> 'autoinforming' AND a.agent_at > v_limit)
                        THEN least(coalesce(v_limit, v_ended), v_ended)
                    END
                WHERE a.id = v_id;
                -- Column by column: a DBA may have added columns.
                FOR a IN (
                    SELECT c.id, c.case_id, c.project_id, c.number, c.asterisk, c.trunk, c.outcome, c.abandoned_at,
                        c.ringing_at, c.answered_at
                    FROM dialer_calls c WHERE c.id = v_id
                ) DO
                    IF a.abandoned_at IS NOT NULL THEN
                        CALL dialer_abandoned_add(a.number, a.abandoned_at, a.project_id, a.id);
                    END IF;
                    CALL dialer_pause_add(a.id, v_now);
                    SET v_life = coalesce(greatest(a.ringing_at, a.answered_at), a.ringing_at, a.answered_at);
                    SELECT o.reached INTO v_says FROM dialer_outcomes o WHERE o.outcome = a.outcome;
                    SET v_reached = v_says OR v_life IS NOT NULL,
                        v_life = IF(v_says AND a.answered_at IS NULL, v_ended, coalesce(v_life, v_ended));
                    IF json_value(report.value, '$.unsent') THEN
                        SET v_reached = NULL;
                    END IF;
                    IF NOT v_reached THEN
                        UPDATE dialer_reports SET is_silent = true
                        WHERE attempt_id = report.attempt_id AND seq = report.seq;
                    END IF;
                    CALL dialer_trunk_settle(a.trunk, a.asterisk, v_reached, v_life);
                    DELETE FROM dialer_live WHERE number = a.number AND attempt_id = a.id;
                    SET v_id = NULL;
                    SELECT l.case_id INTO v_id FROM dialer_claims l
                    WHERE l.case_id = a.case_id AND l.attempt_id = a.id FOR UPDATE;
                    CALL dialer_case_settle(a.id, v_reached, v_now, v_settled);
                    IF v_settled THEN
                        DELETE FROM dialer_claims WHERE case_id = a.case_id AND attempt_id = a.id;
                        IF v_posted IS NOT NULL THEN
                            CALL dialer_post(a.id, v_posted);  -- if it could not, dialer_reap posts the others
                        END IF;
                    END IF;
                END FOR;
            END IF;
        END FOR;
        FOR t IN (
            SELECT d.trunk FROM dialer_trunk_states d
            WHERE d.asterisk = p_asterisk AND d.streak >= 20
              AND d.trunk IN (SELECT q.trunk FROM dialer_reports q WHERE q.is_silent)
        ) DO
            CALL dialer_trunk_trip(t.trunk, p_asterisk, v_now);
        END FOR;
    END work;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_owns AS dialer_attempt_finish;
END
