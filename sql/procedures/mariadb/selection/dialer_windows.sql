-- dialer_windows(p_project, p_kind, p_now) -> window_key, zone, allowed_start, allowed_stop, is_open, minutes
-- The distinct call windows among the project's waiting cases of a kind (fresh, scheduled, redial; held: those that a rule holds
-- and whose time has come); minutes:
-- the offset from UTC in force at p_now. One index probe per window, however many cases share it, so closed
-- windows with a million cases cost nothing. A window that cannot be read is closed (dialer_window_holds).
CREATE OR REPLACE PROCEDURE dialer_windows(p_project varchar(400), p_kind varchar(20), p_now datetime(6))
BEGIN
    -- '~' sorts after every key: keys consist of offsets, zone names and times
    DECLARE v_key varchar(230) DEFAULT IF(p_kind = 'fresh', '~', '');
    DECLARE v_next varchar(230);
    DECLARE v_last bigint;
    DECLARE v_project_zone varchar(400);
    DECLARE v_zone varchar(400);
    DECLARE v_start varchar(230);
    DECLARE v_stop varchar(230);
    DECLARE v_local datetime(6);
    DECLARE v_is_open tinyint(1);
    DECLARE v_minutes int;
    -- The rows are left in this temporary table, since no procedure can read another one's result.
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_windows_found (
        window_key varchar(230) NOT NULL PRIMARY KEY,
        zone varchar(400) NOT NULL,
        allowed_start varchar(230) NOT NULL,
        allowed_stop varchar(230) NOT NULL,
        is_open tinyint(1) NOT NULL,
        minutes int NOT NULL,
        last_id bigint NOT NULL COMMENT 'of fresh cases: the last one of the window'
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    IF p_kind <> 'held' THEN
        DELETE FROM dialer_windows_found;
    END IF;
    SELECT max(r.zone) INTO v_project_zone FROM dialer_rules r WHERE r.project_id = p_project;
    SELECT coalesce(v_project_zone, dialer_setting('server_zone')) INTO v_project_zone;
    probe: LOOP
        SET v_next = NULL;
        -- Fresh cases from the last window downwards: before 10.6 an ascending index scan over rows of open
        -- transactions costs the square of their number (it keeps every page that it has looked at), a descending one
        -- does not. The other kinds upwards, away from the fresh ones, since a scan that finds nothing looks beyond its
        -- range.
        IF p_kind = 'fresh' THEN
            SELECT c.window_key, c.id INTO v_next, v_last
            FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
            WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key < v_key
            ORDER BY c.window_key DESC, c.id DESC LIMIT 1;
        ELSEIF p_kind = 'held' THEN
            SELECT c.window_key, 0 INTO v_next, v_last
            FROM dialer_clients c FORCE INDEX (dialer_clients_held)
            WHERE c.project_id = p_project AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause')
              AND c.held_until <= p_now AND c.window_key > v_key
            ORDER BY c.window_key LIMIT 1;
        ELSE
            SELECT c.window_key, c.id INTO v_next, v_last
            FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key > v_key
            ORDER BY c.window_key, c.id LIMIT 1;
        END IF;
        IF v_next IS NULL THEN
            LEAVE probe;
        END IF;
        SET v_key = v_next;
        -- Windows of one zone follow each other, so its clock is read once.
        IF NOT v_zone <=> coalesce(nullif(substring_index(v_key, '|', 1), ''), v_project_zone) THEN
            SET v_zone = coalesce(nullif(substring_index(v_key, '|', 1), ''), v_project_zone),
                v_local = dialer_local(v_zone, p_now),
                v_minutes = round((timestampdiff(MICROSECOND, '1970-01-01', v_local) / 1000000
                    - unix_timestamp(p_now)) / 60);
        END IF;
        SET v_start = substring_index(substring_index(v_key, '|', 2), '|', -1),
            v_stop = substring_index(substring_index(v_key, '|', 3), '|', -1),
            v_is_open = dialer_window_holds(v_start, v_stop, v_local);
        INSERT IGNORE INTO dialer_windows_found (window_key, zone, allowed_start, allowed_stop, is_open, minutes, last_id)
        VALUES (v_key, coalesce(v_zone, ''), v_start, v_stop, v_is_open, coalesce(v_minutes, 0), v_last);
    END LOOP;
END
