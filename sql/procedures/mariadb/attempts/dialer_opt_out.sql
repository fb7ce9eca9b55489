-- dialer_opt_out(p_opt_outs, p_now) -> how many of them are new
-- Subscribers asked in a call not to be called again. p_opt_outs: JSON array of {"attempt_id", "key": what was pressed
-- ('': unknown), "ago": seconds since}. Writes the attempt's number into dialer_dnc, for the projects that its own
-- project's opt_out_scope says; the same one twice is one row. It does not matter who owns the Asterisk: the request
-- counts, whoever reports it. The case is used up when the call ends; if the call has ended already (and the agent's code
-- does not say wrong number), it is withdrawn here, as it may have further numbers. It waits for no row of cases, calls
-- or projects: a case that somebody's open transaction holds is left as it is.
CREATE OR REPLACE PROCEDURE dialer_opt_out(p_opt_outs longtext, p_now datetime(6))
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_before bigint;
    DECLARE v_new bigint DEFAULT 0;
    DECLARE v_locked tinyint(1);
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
    SELECT dialer_instant(p_now) INTO v_now;
    -- JSON_TABLE came with 10.6. First to variables: an INSERT … SELECT would lock what it reads.
    FOR opt_out IN (
        SELECT a.id, coalesce(nullif(a.number, ''), a.phone_number) AS number,
            IF(r.opt_out_scope = 'project', a.project_id, NULL) AS project_id,
            IF(r.opt_out_scope = 'client', r.client, NULL) AS client,
            concat(coalesce(
                    concat('the subscriber pressed ',
                        nullif(left(json_value(p_opt_outs, concat('$[', a.seq, '].key')), 1), '')),
                    'the subscriber opted out'), ' in a call of project ', a.project_id) AS reason,
            v_now - INTERVAL coalesce(CAST(json_value(p_opt_outs, concat('$[', a.seq, '].ago')) AS decimal(20, 6)), 0)
                SECOND AS added_at
        FROM (
            SELECT s.seq, c.id, c.number, c.phone_number, c.project_id
            FROM seq_0_to_9999 s
            STRAIGHT_JOIN dialer_calls c
                ON c.id = CAST(json_value(p_opt_outs, concat('$[', s.seq, '].attempt_id')) AS signed)
            WHERE s.seq < json_length(p_opt_outs)
            UNION ALL
            SELECT s.seq, e.id, e.number, e.phone_number, e.project_id
            FROM seq_0_to_9999 s
            STRAIGHT_JOIN dialer_attempts e
                ON e.id = CAST(json_value(p_opt_outs, concat('$[', s.seq, '].attempt_id')) AS signed)
            WHERE s.seq < json_length(p_opt_outs)
        ) a
        LEFT JOIN dialer_rules r ON r.project_id = a.project_id
        ORDER BY a.id
    ) DO
        SELECT count(*) INTO v_before FROM dialer_dnc d WHERE d.attempt_id = opt_out.id AND d.number = opt_out.number;
        INSERT INTO dialer_dnc (number, project_id, client, reason, attempt_id, added_at)
        VALUES (opt_out.number, opt_out.project_id, opt_out.client, opt_out.reason, opt_out.id, opt_out.added_at)
        ON DUPLICATE KEY UPDATE id = id;
        SET v_new = v_new + (v_before = 0);
    END FOR;
    FOR left_over IN (
        SELECT c.id
        FROM seq_0_to_9999 s
        STRAIGHT_JOIN dialer_attempts a
            ON a.id = CAST(json_value(p_opt_outs, concat('$[', s.seq, '].attempt_id')) AS signed)
        STRAIGHT_JOIN dialer_clients c ON c.id = a.case_id
        WHERE s.seq < json_length(p_opt_outs)
          AND NOT c.used AND NOT dialer_wrong_number(a.disposition)
          AND c.project_id = a.project_id AND c.phone_number = a.phone_number AND c.inserted_at = a.case_inserted_at
          AND c.brought_back = a.brought_back
          AND EXISTS (SELECT 1 FROM dialer_case_numbers f WHERE f.case_id = c.id AND f.case_inserted_at = c.inserted_at)
        UNION
        SELECT c.id
        FROM seq_0_to_9999 s
        STRAIGHT_JOIN dialer_calls a
            ON a.id = CAST(json_value(p_opt_outs, concat('$[', s.seq, '].attempt_id')) AS signed) AND a.ended_at IS NOT NULL
        STRAIGHT_JOIN dialer_clients c ON c.id = a.case_id
        WHERE s.seq < json_length(p_opt_outs)
          AND NOT c.used AND NOT dialer_wrong_number(a.disposition)
          AND c.project_id = a.project_id AND c.phone_number = a.phone_number AND c.inserted_at = a.case_inserted_at
          AND c.brought_back = a.brought_back
          AND EXISTS (SELECT 1 FROM dialer_case_numbers f WHERE f.case_id = c.id AND f.case_inserted_at = c.inserted_at)
    ) DO
        CALL dialer_case_lock(left_over.id, v_locked);
        IF NOT v_locked THEN
            UPDATE dialer_clients SET used = true WHERE id = left_over.id;
        END IF;
    END FOR;
    IF v_own THEN
        COMMIT;
    END IF;
    SELECT v_new AS dialer_opt_out;
END
