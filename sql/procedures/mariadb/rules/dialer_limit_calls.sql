-- dialer_limit_calls(p_limit, p_attempt) -> number
-- How many calls filled a row of dialer_limits when an attempt of its scope began: earlier calls of the number (or the
-- case) in the period before that, whose projects are in the row's scope. For dialer_rule_breaches, which also sees to
-- it that the facts are still those of that time; calls of a project whose client or purpose has changed since are left
-- out where the row names one.
CREATE OR REPLACE FUNCTION dialer_limit_calls(p_limit bigint, p_attempt bigint)
RETURNS bigint
READS SQL DATA
BEGIN
    DECLARE v_project varchar(400);
    DECLARE v_client varchar(400);
    DECLARE v_purpose varchar(40);
    DECLARE v_keyed_by varchar(40);
    DECLARE v_reach int;
    DECLARE v_minutes int;
    DECLARE v_period varchar(40);
    DECLARE v_case bigint;
    DECLARE v_case_project varchar(400);
    DECLARE v_phone_number varchar(400);
    DECLARE v_number varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_begun datetime(6);
    DECLARE v_zones varchar(1000);
    DECLARE v_zone varchar(400);
    DECLARE v_since datetime(6) DEFAULT '1970-01-02 00:00:00';
    DECLARE v_calls bigint;
    SELECT m.project_id, m.client, m.purpose, m.keyed_by, field(m.counts, 'attempts', 'connected', 'conversations'),
        m.period_minutes, m.local_period
    INTO v_project, v_client, v_purpose, v_keyed_by, v_reach, v_minutes, v_period
    FROM dialer_limits m WHERE m.id = p_limit;
    SELECT a.case_id, a.project_id, a.phone_number, a.number, a.case_inserted_at, a.begun_at
    INTO v_case, v_case_project, v_phone_number, v_number, v_inserted, v_begun
    FROM dialer_attempts a WHERE a.id = p_attempt;
    IF v_case IS NULL THEN
        SELECT a.case_id, a.project_id, a.phone_number, a.number, a.case_inserted_at, a.begun_at
        INTO v_case, v_case_project, v_phone_number, v_number, v_inserted, v_begun
        FROM dialer_calls a WHERE a.id = p_attempt;
    END IF;
    IF v_minutes IS NOT NULL THEN
        SET v_since = v_begun - INTERVAL v_minutes MINUTE + INTERVAL 1 MICROSECOND;
    ELSEIF v_period IS NOT NULL THEN
        SELECT dialer_zone_of(v_case_project, c.utc, c.zones) INTO v_zones FROM dialer_clients c WHERE c.id = v_case;
        SET v_since = v_begun;
        WHILE v_zones <> '' DO
            SET v_zone = substring_index(v_zones, '&', 1),
                v_zones = substr(v_zones, char_length(v_zone) + 2),
                v_since = least(v_since, dialer_period_start(v_zone, v_period, v_begun));
        END WHILE;
    END IF;
    IF v_keyed_by = 'number' THEN
        SELECT count(*) INTO v_calls
        FROM (
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_attempts a WHERE a.number = v_number
            UNION ALL
            SELECT a.id, a.project_id, a.begun_at, a.reach FROM dialer_calls a WHERE a.number = v_number
        ) n
        LEFT JOIN dialer_params p ON p.project_id = n.project_id
        WHERE n.id < p_attempt
          AND n.begun_at >= v_since
          AND n.reach >= v_reach
          AND (v_project IS NULL OR v_project = n.project_id)
          AND (v_client IS NULL OR v_client = p.client AND p.scoped_at <= v_begun)
          AND (v_purpose IS NULL OR v_purpose = p.purpose AND p.scoped_at <= v_begun);
    ELSE
        SELECT count(*) INTO v_calls
        FROM (
            SELECT a.id, a.project_id, a.phone_number, a.case_inserted_at, a.begun_at, a.reach
            FROM dialer_attempts a WHERE a.case_id = v_case
            UNION ALL
            SELECT a.id, a.project_id, a.phone_number, a.case_inserted_at, a.begun_at, a.reach
            FROM dialer_calls a WHERE a.case_id = v_case
        ) n
        LEFT JOIN dialer_params p ON p.project_id = n.project_id
        WHERE n.id < p_attempt
          AND n.project_id = v_case_project AND n.phone_number = v_phone_number AND n.case_inserted_at = v_inserted
          AND n.begun_at >= v_since
          AND n.reach >= v_reach
          AND (v_project IS NULL OR v_project = n.project_id)
          AND (v_client IS NULL OR v_client = p.client AND p.scoped_at <= v_begun)
          AND (v_purpose IS NULL OR v_purpose = p.purpose AND p.scoped_at <= v_begun);
    END IF;
    RETURN v_calls;
END
