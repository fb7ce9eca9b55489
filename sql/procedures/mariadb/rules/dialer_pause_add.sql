-- dialer_pause_add(p_attempt, p_now)
-- The end of an attempt, or its disposition, may be followed by a pause of its number (dialer_pauses): write it down.
-- An attempt causes each pause once; told again, the pause is reckoned anew. The ledger is opened only for an attempt
-- that stands in it.
CREATE OR REPLACE PROCEDURE dialer_pause_add(p_attempt bigint, p_now datetime(6))
BEGIN
    DECLARE v_any tinyint(1);
    DECLARE v_number varchar(400);
    DECLARE v_project varchar(400);
    DECLARE v_case bigint;
    DECLARE v_inserted datetime(6);
    DECLARE v_outcome varchar(20);
    DECLARE v_disposition varchar(400);
    DECLARE v_ended_at datetime(6);
    SELECT count(*) > 0 INTO v_any FROM dialer_pauses;
    IF v_any THEN
        SELECT a.number, a.project_id, a.case_id, a.case_inserted_at, a.outcome, a.disposition, a.ended_at
        INTO v_number, v_project, v_case, v_inserted, v_outcome, v_disposition, v_ended_at
        FROM dialer_calls a WHERE a.id = p_attempt;
        IF v_number IS NULL THEN
            SELECT a.number, a.project_id, a.case_id, a.case_inserted_at, a.outcome, a.disposition, a.ended_at
            INTO v_number, v_project, v_case, v_inserted, v_outcome, v_disposition, v_ended_at
            FROM dialer_attempts a WHERE a.id = p_attempt;
        END IF;
        DELETE FROM dialer_number_pauses WHERE number = v_number AND attempt_id = p_attempt;
        INSERT INTO dialer_number_pauses (
            number, project_id, client, region, purpose, callbacks, until_at, pause_id, attempt_id, added_at)
        SELECT v_number, u.project_id, u.client, u.region, u.purpose, u.callbacks,
            v_ended_at + INTERVAL u.period_minutes MINUTE, u.id, p_attempt, p_now
        FROM dialer_pauses u
        LEFT JOIN dialer_clients c ON c.id = v_case AND c.inserted_at = v_inserted
        LEFT JOIN dialer_rules r ON r.project_id = v_project
        WHERE v_ended_at IS NOT NULL
          AND (u.outcome = v_outcome OR u.disposition = v_disposition)
          AND (u.project_id IS NULL OR u.project_id = v_project)
          AND (u.client IS NULL OR u.client = r.client)
          AND (u.purpose IS NULL OR u.purpose = r.purpose)
          AND (u.region IS NULL
            OR u.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)));
    END IF;
END
