-- dialer_call_windows(p_project, p_kind, p_now) -> window_key, case_id, is_known, is_open, minutes, opens_at
-- The distinct call windows among the project's waiting cases of a kind (fresh, scheduled, redial; held: those that a
-- rule holds and whose time has come), with a case of each. is_known: dialer_windows says whether it is open at p_now;
-- otherwise it is found out. minutes: the offset from UTC in force at p_now; opens_at: when a closed one opens, if that
-- is known. One index probe per window, however many cases share it, so closed windows with a million cases cost nothing.
-- (MariaDB leaves the rows in dialer_windows_found; there those of held cases are added to the ones found before.)
CREATE OR REPLACE PROCEDURE dialer_call_windows(p_project varchar(400), p_kind varchar(20), p_now datetime(6))
BEGIN
    -- '~' sorts after every key: keys consist of offsets, zone names and times
    DECLARE v_key varchar(230) DEFAULT IF(p_kind = 'fresh', '~', '');
    DECLARE v_next varchar(230);
    DECLARE v_case bigint;
    DECLARE v_rules varchar(100);
    DECLARE v_is_known tinyint(1);
    DECLARE v_is_open tinyint(1);
    DECLARE v_minutes int;
    DECLARE v_opening varchar(2000);
    IF NOT @dialer_temporaries <=> schema() THEN
        CALL dialer_temporaries();
    END IF;
    IF p_kind <> 'held' THEN
        DELETE FROM dialer_windows_found;
    END IF;
    SELECT v.version INTO v_rules FROM dialer_rules_version v;
    probe: LOOP
        SET v_next = NULL;
        -- Fresh cases from the last window downwards: before 10.6 an ascending index scan over rows of open
        -- transactions costs the square of their number (it keeps every page that it has looked at), a descending one
        -- does not. The other kinds upwards, away from the fresh ones, since a scan that finds nothing looks beyond its
        -- range.
        IF p_kind = 'fresh' THEN
            SELECT c.window_key, c.id INTO v_next, v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
            WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key < v_key
            ORDER BY c.window_key DESC, c.id DESC LIMIT 1;
        ELSEIF p_kind = 'held' THEN
            SELECT c.window_key, c.id INTO v_next, v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_held)
            WHERE c.project_id = p_project AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
              AND c.held_until <= p_now AND c.window_key > v_key
            ORDER BY c.window_key LIMIT 1;
        ELSE
            SELECT c.window_key, c.id INTO v_next, v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key > v_key
            ORDER BY c.window_key, c.id LIMIT 1;
        END IF;
        IF v_next IS NULL THEN
            LEAVE probe;
        END IF;
        SET v_key = v_next, v_is_known = NULL;
        SELECT true, w.is_open, w.minutes INTO v_is_known, v_is_open, v_minutes
        FROM dialer_windows w
        WHERE w.project_id = p_project AND w.window_key = v_key
          AND w.rules = v_rules AND w.evaluated_at <= p_now AND w.changes_at > p_now;
        IF v_is_known IS NULL THEN
            SELECT dialer_opening(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                p_now) INTO v_opening
            FROM dialer_clients c WHERE c.id = v_case;
            SET v_is_open = json_value(v_opening, '$.is_open'), v_minutes = json_value(v_opening, '$.minutes');
        END IF;
        INSERT IGNORE INTO dialer_windows_found (window_key, is_known, is_open, minutes, case_id, last_id)
        VALUES (v_key, coalesce(v_is_known, false), v_is_open, v_minutes, v_case, IF(p_kind = 'fresh', v_case, 0));
    END LOOP;
END
