-- dialer_limit_until(p_limit, p_case, p_at) -> instant
-- Until when one row of dialer_limits speaks against a case that it applies to: p_at if it does not at p_at, infinity
-- (MariaDB: the year 9999) if it does for the whole campaign. Exact: the call that makes the limit full leaves the
-- period, or the next local day, week or month begins. Counted are calls whose projects are in the row's scope, those
-- under way included.
CREATE OR REPLACE FUNCTION dialer_limit_until(p_limit bigint, p_case bigint, p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_project varchar(400);
    DECLARE v_client varchar(400);
    DECLARE v_purpose varchar(40);
    DECLARE v_keyed_by varchar(40);
    DECLARE v_reach int;
    DECLARE v_others int;
    DECLARE v_minutes int;
    DECLARE v_period varchar(40);
    DECLARE v_number varchar(400);
    DECLARE v_phone_number varchar(400);
    DECLARE v_case_project varchar(400);
    DECLARE v_inserted datetime(6);
    DECLARE v_utc varchar(400);
    DECLARE v_zones varchar(1000);
    DECLARE v_zone varchar(400);
    DECLARE v_begun datetime(6);
    DECLARE v_start datetime(6);
    DECLARE v_next datetime(6);
    SELECT m.project_id, m.client, m.purpose, m.keyed_by, field(m.counts, 'attempts', 'connected', 'conversations'),
        m.most - 1, m.period_minutes, m.local_period
    INTO v_project, v_client, v_purpose, v_keyed_by, v_reach, v_others, v_minutes, v_period
    FROM dialer_limits m WHERE m.id = p_limit;
    SELECT c.number, c.phone_number, c.project_id, c.inserted_at, c.utc, c.zones
    INTO v_number, v_phone_number, v_case_project, v_inserted, v_utc, v_zones
    FROM dialer_clients c
    WHERE c.id = p_case;
    -- The call that makes the limit full: the n-th latest.
    IF v_keyed_by = 'number' THEN
        SELECT n.begun_at INTO v_begun
        FROM (
            SELECT a.project_id, a.begun_at, a.reach FROM dialer_attempts a WHERE a.number = v_number
            UNION ALL
            SELECT a.project_id, a.begun_at, a.reach FROM dialer_calls a WHERE a.number = v_number
        ) n
        LEFT JOIN dialer_rules r ON r.project_id = n.project_id
        WHERE n.reach >= v_reach
          AND (v_project IS NULL OR v_project = n.project_id)
          AND (v_client IS NULL OR v_client = r.client)
          AND (v_purpose IS NULL OR v_purpose = r.purpose)
        ORDER BY n.begun_at DESC
        LIMIT v_others, 1;
    ELSE
        SELECT n.begun_at INTO v_begun
        FROM (
            SELECT a.project_id, a.phone_number, a.case_inserted_at, a.begun_at, a.reach
            FROM dialer_attempts a WHERE a.case_id = p_case
            UNION ALL
            SELECT a.project_id, a.phone_number, a.case_inserted_at, a.begun_at, a.reach
            FROM dialer_calls a WHERE a.case_id = p_case
        ) n
        LEFT JOIN dialer_rules r ON r.project_id = n.project_id
        WHERE n.reach >= v_reach
          AND n.project_id = v_case_project AND n.phone_number = v_phone_number AND n.case_inserted_at = v_inserted
          AND (v_project IS NULL OR v_project = n.project_id)
          AND (v_client IS NULL OR v_client = r.client)
          AND (v_purpose IS NULL OR v_purpose = r.purpose)
        ORDER BY n.begun_at DESC
        LIMIT v_others, 1;
    END IF;
    IF v_begun IS NULL THEN
        RETURN p_at;
    END IF;
    IF v_minutes IS NOT NULL THEN
        RETURN greatest(p_at, v_begun + INTERVAL v_minutes MINUTE);
    END IF;
    IF v_period IS NULL THEN
        RETURN '9999-12-31 00:00:00';
    END IF;
    SET v_zones = dialer_zone_of(v_case_project, v_utc, v_zones);
    -- With several zones, the last midnight.
    WHILE v_zones <> '' DO
        SET v_zone = substring_index(v_zones, '&', 1),
            v_zones = substr(v_zones, char_length(v_zone) + 2),
            v_start = least(coalesce(v_start, '9999-12-31'), dialer_period_start(v_zone, v_period, p_at)),
            v_next = greatest(coalesce(v_next, '1970-01-02'), dialer_period_next(v_zone, v_period, p_at));
    END WHILE;
    RETURN IF(v_begun < v_start, p_at, v_next);
END
