-- dialer_project_until(p_project, p_now) -> instant, NULL when nothing waits
-- When the next waiting case may be dialled: p_now itself when one may now, else the next window, promise,
-- redial or end of a delay. A case that cannot go for another reason (number in a call) counts as now.
CREATE OR REPLACE FUNCTION dialer_project_until(p_project varchar(400), p_now datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_kind varchar(20) DEFAULT 'fresh';
    DECLARE v_key varchar(82);
    DECLARE v_next varchar(82);
    DECLARE v_project_zone varchar(400);
    DECLARE v_at datetime(6);
    DECLARE v_until datetime(6);
    SELECT max(r.zone) INTO v_project_zone FROM dialer_rules r WHERE r.project_id = p_project;
    SET v_project_zone = coalesce(v_project_zone, dialer_setting('server_zone'));
    WHILE v_kind IS NOT NULL DO
        SET v_key = IF(v_kind = 'fresh', '~', '');
        probe: LOOP
            -- As dialer_windows does it, and why; a function cannot have its temporary table.
            SET v_next = NULL;
            IF v_kind = 'fresh' THEN
                SELECT c.window_key INTO v_next
                FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
                WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key < v_key
                ORDER BY c.window_key DESC LIMIT 1;
            ELSE
                SELECT c.window_key INTO v_next
                FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
                WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key > v_key
                ORDER BY c.window_key LIMIT 1;
            END IF;
            IF v_next IS NULL THEN
                LEAVE probe;
            END IF;
            SET v_key = v_next;
            IF v_kind = 'fresh' THEN
                -- a case without a delay, else the first delay to end
                SELECT min(s.at) INTO v_at FROM (
                    SELECT p_now AS at FROM (
                        SELECT c.not_before_at
                        FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                        WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key = v_key
                        ORDER BY c.not_before_at LIMIT 1) f
                    WHERE f.not_before_at IS NULL OR f.not_before_at <= p_now) s;
                IF v_at IS NULL THEN
                    SELECT min(c.not_before_at) INTO v_at
                    FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                    WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key = v_key
                      AND c.not_before_at IS NOT NULL;
                END IF;
            ELSE
                SELECT min(s.at) INTO v_at FROM (
                    SELECT greatest(c.deferred_time, coalesce(c.not_before_at, c.deferred_time)) AS at
                    FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
                    WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key = v_key
                    ORDER BY c.deferred_time LIMIT 200) s;
            END IF;
            -- NULL: taken by somebody since the probe
            SET v_at = dialer_window_next(coalesce(nullif(substring_index(v_key, '|', 1), ''), v_project_zone),
                substring_index(substring_index(v_key, '|', 2), '|', -1), substring_index(v_key, '|', -1),
                greatest(p_now, v_at));
            SET v_until = coalesce(least(v_until, v_at), v_until, v_at);
        END LOOP;
        SET v_kind = CASE v_kind WHEN 'fresh' THEN 'scheduled' WHEN 'scheduled' THEN 'redial' END;
    END WHILE;
    RETURN v_until;
END
