-- dialer_attempt_advance(p_worker, p_asterisk, p_epoch, p_reports, p_now) -> bool
-- How far calls have got. p_reports: JSON array of {"attempt_id", "steps": {step: seconds ago, …}, "agent",
-- "amd": AMD()'s verdict, "keys": what was pressed, in order}, steps: dialing, ringing, answered, amd, waiting, agent,
-- played. Ages, not instants: the worker's clock need not be the database's. Reports that come late, twice or out of
-- order change nothing. False: p_worker is not the owner.
CREATE OR REPLACE PROCEDURE dialer_attempt_advance(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_reports longtext,
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
        FOR report IN (
            SELECT a.id, json_extract(p_reports, concat('$[', s.seq, ']')) AS value
            FROM seq_0_to_9999 s
            STRAIGHT_JOIN dialer_calls a
                ON a.id = CAST(json_value(p_reports, concat('$[', s.seq, '].attempt_id')) AS signed)
                AND a.asterisk = p_asterisk
            WHERE s.seq < json_length(p_reports)
            ORDER BY a.id, s.seq
        ) DO
            CALL dialer_attempt_step(report.id, report.value, v_now);
        END FOR;
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_owns AS dialer_attempt_advance;
END
