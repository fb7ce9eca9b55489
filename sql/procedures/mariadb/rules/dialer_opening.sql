-- dialer_opening(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, p_at)
--     -> is_open, minutes, changes_at, detail
-- Whether cases of such a call window may be called at p_at as far as hours go: the cases' own, and those of
-- dialer_hours that apply (project, client, purpose, region; of rows with the same scope and preset one must be open).
-- If several zones come into question it must be open in each of them. minutes: the offset of the first one from UTC.
-- changes_at: not before then will the answer be another one; at most a day ahead. detail: what is closed. In an unknown
-- zone it is open only if nothing is ever closed.
CREATE OR REPLACE FUNCTION dialer_opening(
    p_project varchar(400),
    p_utc varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_zones varchar(1000),
    p_region varchar(40),
    p_number_region varchar(40),
    p_at datetime(6)
)
RETURNS varchar(2000)
READS SQL DATA
BEGIN
    DECLARE v_left varchar(1000) DEFAULT dialer_zone_of(p_project, p_utc, p_zones);
    DECLARE v_zone varchar(400);
    DECLARE v_client varchar(400);
    DECLARE v_purpose varchar(400);
    DECLARE v_any tinyint(1);
    DECLARE v_local datetime(6);
    DECLARE v_clock time(6);
    DECLARE v_holiday varchar(1000);
    DECLARE v_day int;
    DECLARE v_closed varchar(1000);
    DECLARE v_time time;
    DECLARE v_first time;
    DECLARE v_is_open tinyint(1) DEFAULT true;
    DECLARE v_detail varchar(1000);
    DECLARE v_minutes int;
    -- Instants are seconds since 1970, so additions do not depend on clock changes in the session's zone.
    DECLARE v_at decimal(20, 6) DEFAULT unix_timestamp(p_at);
    DECLARE v_change decimal(20, 6);
    DECLARE v_changes decimal(20, 6) DEFAULT v_at + 86400;
    SELECT max(r.client), max(r.purpose) INTO v_client, v_purpose FROM dialer_rules r WHERE r.project_id = p_project;
    SELECT count(*) > 0 INTO v_any
    FROM dialer_hours h
    WHERE (h.project_id IS NULL OR h.project_id = p_project)
      AND (h.client IS NULL OR h.client = v_client)
      AND (h.purpose IS NULL OR h.purpose = v_purpose)
      AND (h.region IS NULL OR h.region IN (p_region, left(p_region, 2), p_number_region, left(p_number_region, 2)));
    WHILE v_left <> '' DO
        SET v_zone = substring_index(v_left, '&', 1),
            v_left = substr(v_left, char_length(v_zone) + 2),
            v_local = dialer_local(v_zone, p_at),
            v_clock = time(v_local),
            v_minutes = coalesce(v_minutes,
                round((timestampdiff(MICROSECOND, '1970-01-01', v_local) / 1000000 - v_at) / 60)),
            v_closed = NULL,
            v_first = NULL;
        IF NOT dialer_window_holds(p_start, p_stop, v_local) THEN
            SET v_closed = concat(p_start, ' to ', p_stop, ' in ', v_zone);
        ELSEIF v_any THEN
            SELECT max(d.name) INTO v_holiday
            FROM dialer_holidays d
            WHERE d.region IN (p_region, left(p_region, 2), p_number_region, left(p_number_region, 2))
              AND d.day = date(v_local);
            SET v_day = IF(v_holiday IS NULL, weekday(v_local) + 1, 8);
            SELECT max(g.words) INTO v_closed
            FROM (
                SELECT concat('hours of ', coalesce(max(h.preset), concat('dialer_hours ', min(h.id))), ' in ', v_zone,
                    coalesce(concat(' (', nullif(v_holiday, ''), ')'), '')) AS words
                FROM dialer_hours h
                WHERE (h.project_id IS NULL OR h.project_id = p_project)
                  AND (h.client IS NULL OR h.client = v_client)
                  AND (h.purpose IS NULL OR h.purpose = v_purpose)
                  AND (h.region IS NULL
                    OR h.region IN (p_region, left(p_region, 2), p_number_region, left(p_number_region, 2)))
                GROUP BY h.project_id, h.client, h.region, h.purpose, h.preset
                HAVING NOT coalesce(max(substr(h.days, v_day, 1) = '1' AND v_clock >= CAST(h.starts AS time)
                    AND v_clock < CAST(h.stops AS time)), false)
                ORDER BY h.preset IS NOT NULL, h.preset, min(h.id)
                LIMIT 1
            ) g;
        END IF;
        SET v_is_open = v_is_open AND v_closed IS NULL,
            v_detail = coalesce(v_detail, v_closed);
        IF v_local IS NOT NULL AND v_at > 0 THEN
            SET v_time = dialer_time(p_start);
            IF v_time > v_clock THEN
                SET v_first = v_time;
            END IF;
            SET v_time = dialer_time(p_stop);
            IF v_time > v_clock THEN
                SET v_first = least(v_time, coalesce(v_first, v_time));
            END IF;
            IF v_any THEN
                SELECT min(least(IF(CAST(h.starts AS time) > v_clock, CAST(h.starts AS time), '24:00:00'),
                    IF(CAST(h.stops AS time) > v_clock, CAST(h.stops AS time), '24:00:00'))) INTO v_time
                FROM dialer_hours h
                WHERE (h.project_id IS NULL OR h.project_id = p_project)
                  AND (h.client IS NULL OR h.client = v_client)
                  AND (h.purpose IS NULL OR h.purpose = v_purpose)
                  AND (h.region IS NULL
                    OR h.region IN (p_region, left(p_region, 2), p_number_region, left(p_number_region, 2)));
                SET v_first = least(v_time, coalesce(v_first, v_time));
            END IF;
            -- Midnight at the latest. Whatever the clock there does on the way.
            SET v_change = v_at + timestampdiff(MICROSECOND, v_local,
                    timestamp(date(v_local), coalesce(v_first, '24:00:00'))) / 1000000,
                v_changes = least(v_changes, v_change, coalesce(dialer_clock_change(v_zone, v_at, v_change), v_change));
        END IF;
    END WHILE;
    RETURN json_object('is_open', v_is_open, 'minutes', coalesce(v_minutes, 0),
        'changes_at', from_unixtime(v_changes), 'detail', v_detail);
END
