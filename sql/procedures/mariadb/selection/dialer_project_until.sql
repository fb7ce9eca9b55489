-- dialer_project_until(p_project, p_now) -> instant, NULL when nothing waits
-- When the next waiting case may be dialled: p_now itself if one may be now, otherwise the earliest next_at of
-- dialer_gate. A number in a call counts as free (ready_at of dialer_gate). In each window the gate is asked about the
-- cases that could go first according to an index, and about more until none after them can be earlier. If rules keep
-- the first 16 of a window back for longer than they wait anyhow (redials of numbers that have reached a limit, say),
-- no more are asked about: it is the instant before which none of the others can go. So a long list costs no more than
-- a short one, unless the gate objects to very many of those that are due. Callbacks alone wait for an instant at which
-- the project's list is too old.
CREATE OR REPLACE FUNCTION dialer_project_until(p_project varchar(400), p_now datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_kind varchar(20) DEFAULT 'fresh';
    DECLARE v_key varchar(230);
    DECLARE v_next varchar(230);
    DECLARE v_case bigint;
    DECLARE v_bound datetime(6);
    DECLARE v_opens datetime(6);
    DECLARE v_reach int;
    DECLARE v_asked int;
    DECLARE v_last datetime(6);
    DECLARE v_ready datetime(6);
    DECLARE v_until datetime(6);
    DECLARE v_list_until datetime(6);
    -- Nothing at or after it can be the first.
    DECLARE v_ends datetime(6);
    DECLARE v_set varchar(400) DEFAULT @dialer_now;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_now = v_set;
        RESIGNAL;
    END;
    SET @dialer_now = NULL;
    SELECT max(r.list_until) INTO v_list_until FROM dialer_rules r WHERE r.project_id = p_project AND r.scrub_blocks;
    kinds: WHILE v_kind IS NOT NULL DO
        SET v_key = IF(v_kind = 'fresh', '~', '');
        probe: LOOP
            -- As in dialer_call_windows, for the same reasons; a function cannot use its temporary table.
            SET v_next = NULL;
            IF v_kind = 'fresh' THEN
                SELECT c.window_key, c.id INTO v_next, v_case
                FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
                WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key < v_key
                ORDER BY c.window_key DESC LIMIT 1;
            ELSE
                SELECT c.window_key, c.id INTO v_next, v_case
                FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
                WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key > v_key
                ORDER BY c.window_key LIMIT 1;
            END IF;
            IF v_next IS NULL THEN
                LEAVE probe;
            END IF;
            SET v_key = v_next;
            SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
            SELECT max(g.opens_at) INTO v_opens FROM dialer_gate g WHERE g.case_id = v_case;
            -- It never opens, or none of its cases can be the first.
            SET v_ends = IF(v_kind = 'scheduled', NULL, v_list_until);
            IF v_opens IS NULL OR v_opens >= v_until OR v_opens >= v_ends THEN
                ITERATE probe;
            END IF;
            SET v_reach = 1;
            ask: LOOP
                IF v_kind = 'fresh' THEN
                    SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
                    SELECT count(*), max(k.at), min(g.ready_at) INTO v_asked, v_last, v_ready
                    FROM (
                        SELECT c.id, greatest(p_now, coalesce(c.not_before_at, p_now)) AS at
                        FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                        WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key = v_key
                        ORDER BY c.not_before_at
                        LIMIT v_reach
                    ) k
                    STRAIGHT_JOIN dialer_gate g ON g.case_id = k.id;
                ELSE
                    -- Three orders: cases with nothing known to wait for, by the end of a delay, by the instant that is
                    -- due.
                    SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
                    SELECT count(*), max(k.at), min(g.ready_at) INTO v_asked, v_last, v_ready
                    FROM (
                        (SELECT c.id, p_now AS at
                         FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
                         WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key = v_key
                           AND c.deferred_time <= p_now AND (c.not_before_at IS NULL OR c.not_before_at <= p_now)
                         ORDER BY c.deferred_time, c.id LIMIT v_reach)
                        UNION ALL
                        (SELECT c.id, c.not_before_at
                         FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
                         WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key = v_key
                           AND c.not_before_at > p_now
                         ORDER BY c.not_before_at LIMIT v_reach)
                        UNION ALL
                        (SELECT c.id, c.deferred_time
                         FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
                         WHERE c.project_id = p_project AND c.waits_as = v_kind AND c.window_key = v_key
                           AND c.deferred_time > p_now AND (c.not_before_at IS NULL OR c.not_before_at <= p_now)
                         ORDER BY c.deferred_time, c.id LIMIT v_reach)
                        ORDER BY at
                        LIMIT v_reach
                    ) k
                    STRAIGHT_JOIN dialer_gate g ON g.case_id = k.id;
                END IF;
                SET v_until = coalesce(least(v_until, v_ready), v_until, v_ready);
                -- So many that rules keep back are held first (dialer_screen); until then a case may go as far as is
                -- known.
                IF v_until IS NULL AND v_reach > 4000 THEN
                    SET v_until = p_now;
                END IF;
                IF v_asked < v_reach OR v_until <= v_last OR v_ends <= v_last THEN
                    LEAVE ask;
                END IF;
                SELECT dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region,
                    c.number_region, v_last)
                INTO v_bound
                FROM dialer_clients c WHERE c.id = v_case;
                -- To ask about all of them would cost more than a claim has time for.
                IF v_reach >= 16 AND v_last > p_now THEN
                    SET v_until = coalesce(least(v_until, v_bound), v_until, v_bound);
                END IF;
                IF v_until <= v_bound OR v_ends <= v_bound THEN
                    LEAVE ask;
                END IF;
                SET v_reach = v_reach * 4;
            END LOOP;
            IF v_until <= p_now THEN
                LEAVE kinds;
            END IF;
        END LOOP;
        SET v_kind = CASE v_kind WHEN 'fresh' THEN 'scheduled' WHEN 'scheduled' THEN 'redial' END;
    END WHILE;
    -- Held cases, by the instant before which none of them can go.
    IF NOT coalesce(v_until <= p_now, false) THEN
        SET v_reach = 1;
        held: LOOP
            SET STATEMENT timestamp = unix_timestamp(p_now) + 0.0000005 FOR
            SELECT count(*), max(k.at), min(g.ready_at) INTO v_asked, v_last, v_ready
            FROM (
                (SELECT c.id, c.held_until AS at
                 FROM dialer_clients c FORCE INDEX (dialer_clients_held)
                 WHERE c.project_id = p_project AND c.waits_for = 'do_not_call' AND c.held_until IS NOT NULL
                   AND (v_list_until IS NULL OR c.held_until < v_list_until
                    OR c.deferred_kind = 'scheduled' AND NOT c.deferred_done)
                 ORDER BY c.held_until LIMIT v_reach)
                UNION ALL
                (SELECT c.id, c.held_until
                 FROM dialer_clients c FORCE INDEX (dialer_clients_held)
                 WHERE c.project_id = p_project AND c.waits_for = 'number_limit' AND c.held_until IS NOT NULL
                   AND (v_list_until IS NULL OR c.held_until < v_list_until
                    OR c.deferred_kind = 'scheduled' AND NOT c.deferred_done)
                 ORDER BY c.held_until LIMIT v_reach)
                UNION ALL
                (SELECT c.id, c.held_until
                 FROM dialer_clients c FORCE INDEX (dialer_clients_held)
                 WHERE c.project_id = p_project AND c.waits_for = 'number_pause' AND c.held_until IS NOT NULL
                   AND (v_list_until IS NULL OR c.held_until < v_list_until
                    OR c.deferred_kind = 'scheduled' AND NOT c.deferred_done)
                 ORDER BY c.held_until LIMIT v_reach)
                ORDER BY at
                LIMIT v_reach
            ) k
            STRAIGHT_JOIN dialer_gate g ON g.case_id = k.id;
            SET v_until = coalesce(least(v_until, v_ready), v_until, v_ready);
            IF v_asked < v_reach OR v_until <= v_last THEN
                LEAVE held;
            END IF;
            SET v_reach = v_reach * 4;
        END LOOP;
    END IF;
    SET @dialer_now = v_set;
    RETURN v_until;
END
