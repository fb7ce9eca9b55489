-- dialer_pause_add(p_attempt)
-- The end of an attempt, or its disposition, may be followed by a pause of its number (dialer_pauses): write it down.
-- An attempt causes each pause once; told again, the pause is reckoned anew.
CREATE OR REPLACE PROCEDURE dialer_pause_add(p_attempt bigint)
BEGIN
    DECLARE v_any tinyint(1);
    DECLARE v_number varchar(400);
    SELECT count(*) > 0 INTO v_any FROM dialer_pauses;
    IF v_any THEN
        SELECT max(a.number) INTO v_number
        FROM (
            SELECT x.number FROM dialer_attempts x WHERE x.id = p_attempt
            UNION ALL
            SELECT x.number FROM dialer_calls x WHERE x.id = p_attempt
        ) a;
        DELETE FROM dialer_number_pauses WHERE number = v_number AND attempt_id = p_attempt;
        INSERT INTO dialer_number_pauses (
            number, project_id, client, region, purpose, callbacks, until_at, pause_id, attempt_id)
        SELECT a.number, u.project_id, u.client, u.region, u.purpose, u.callbacks,
            a.ended_at + INTERVAL u.period_minutes MINUTE, u.id, p_attempt
        FROM (
            SELECT x.number, x.project_id, x.case_id, x.case_inserted_at, x.outcome, x.disposition, x.ended_at
            FROM dialer_attempts x WHERE x.id = p_attempt
            UNION ALL
            SELECT x.number, x.project_id, x.case_id, x.case_inserted_at, x.outcome, x.disposition, x.ended_at
            FROM dialer_calls x WHERE x.id = p_attempt AND x.ended_at IS NOT NULL
        ) a
        LEFT JOIN dialer_clients c ON c.id = a.case_id AND c.inserted_at = a.case_inserted_at
        LEFT JOIN dialer_rules r ON r.project_id = a.project_id
        JOIN dialer_pauses u ON (u.outcome = a.outcome OR u.disposition = a.disposition)
        WHERE (u.project_id IS NULL OR u.project_id = a.project_id)
          AND (u.client IS NULL OR u.client = r.client)
          AND (u.purpose IS NULL OR u.purpose = r.purpose)
          AND (u.region IS NULL
            OR u.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)));
    END IF;
END
