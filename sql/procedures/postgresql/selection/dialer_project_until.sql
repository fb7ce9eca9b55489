-- dialer_project_until(p_project, p_now) -> instant, NULL when nothing waits
-- When the next waiting case may be dialled: p_now itself if one may be now, otherwise the earliest next_at of
-- dialer_gate. A number in a call counts as free (ready_at of dialer_gate). In each window the gate is asked about the
-- cases that could go first according to an index, and about more until none after them can be earlier. If rules keep
-- the first 16 of a window back for longer than they wait anyhow (redials of numbers that have reached a limit, say),
-- no more are asked about: it is the instant before which none of the others can go. So a long list costs no more than
-- a short one, unless the gate objects to very many of those that are due. Callbacks alone wait for an instant at which
-- the project's list is too old.
CREATE OR REPLACE FUNCTION dialer_project_until(p_project varchar, p_now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
-- Other styles write names of zones, and CST is not read as what it was written for.
SET datestyle TO 'ISO'
AS $$
DECLARE
    v_window record;
    v_case dialer_clients;
    v_reach int;
    v_opens timestamptz;
    v_asked int;
    v_last timestamptz;
    v_ready timestamptz;
    v_until timestamptz;
    v_list_until CONSTANT timestamptz := (
        SELECT r.list_until FROM dialer_rules r WHERE r.project_id = p_project AND r.scrub_blocks);
    v_ends timestamptz;
    -- As in dialer_pick.
    v_set CONSTANT varchar := coalesce(current_setting('dialer.now', true), '');
BEGIN
    PERFORM set_config('dialer.now', p_now::text, true);
    FOR v_window IN
        SELECT w.*, k.kind
        FROM (VALUES ('fresh'), ('scheduled'), ('redial')) k (kind)
        CROSS JOIN LATERAL dialer_call_windows(p_project, k.kind, p_now) w
        -- In an open window a case may go now; then there is no need to ask the others.
        ORDER BY w.is_open DESC
    LOOP
        SELECT * INTO v_case FROM dialer_clients c WHERE c.id = v_window.case_id;
        v_opens := CASE
            WHEN v_window.is_open THEN p_now
            WHEN v_window.is_known THEN v_window.opens_at
            ELSE dialer_open_at(v_case.project_id, v_case.utc, v_case.allowed_start, v_case.allowed_stop, v_case.zones,
                v_case.region, v_case.number_region, p_now)
        END;
        -- It never opens, or none of its cases can be the first.
        v_ends := CASE WHEN v_window.kind <> 'scheduled' THEN v_list_until END;
        CONTINUE WHEN v_opens IS NULL OR v_opens >= least(v_until, v_ends);
        v_reach := 1;
        LOOP
            -- Three orders: cases with nothing known to wait for, by the end of a delay, by the instant that is due.
            SELECT count(*), max(k.at), min(g.ready_at) INTO v_asked, v_last, v_ready
            FROM (
                SELECT * FROM (
                    (SELECT f.id, p_now AS at FROM dialer_fresh f
                     WHERE v_window.kind = 'fresh' AND f.project_id = p_project AND f.window_key = v_window.window_key
                       AND (f.not_before_at IS NULL OR f.not_before_at <= p_now)
                     ORDER BY f.id LIMIT v_reach)
                    UNION ALL
                    (SELECT f.id, f.not_before_at FROM dialer_fresh f
                     WHERE v_window.kind = 'fresh' AND f.project_id = p_project AND f.window_key = v_window.window_key
                       AND f.not_before_at > p_now
                     ORDER BY f.not_before_at LIMIT v_reach)
                    UNION ALL
                    (SELECT d.id, p_now FROM dialer_deferred d
                     WHERE d.deferred_kind = v_window.kind AND d.project_id = p_project
                       AND d.window_key = v_window.window_key AND d.deferred_time <= p_now
                       AND (d.not_before_at IS NULL OR d.not_before_at <= p_now)
                     ORDER BY d.deferred_time, d.id LIMIT v_reach)
                    UNION ALL
                    (SELECT d.id, d.not_before_at FROM dialer_deferred d
                     WHERE d.deferred_kind = v_window.kind AND d.project_id = p_project
                       AND d.window_key = v_window.window_key AND d.not_before_at > p_now
                     ORDER BY d.not_before_at LIMIT v_reach)
                    UNION ALL
                    (SELECT d.id, d.deferred_time FROM dialer_deferred d
                     WHERE d.deferred_kind = v_window.kind AND d.project_id = p_project
                       AND d.window_key = v_window.window_key AND d.deferred_time > p_now
                       AND (d.not_before_at IS NULL OR d.not_before_at <= p_now)
                     ORDER BY d.deferred_time, d.id LIMIT v_reach)
                ) found
                ORDER BY found.at
                LIMIT v_reach
            ) k
            CROSS JOIN LATERAL (SELECT o.ready_at FROM dialer_gate o WHERE o.case_id = k.id OFFSET 0) g;
            v_until := least(v_until, v_ready);
            -- So many that rules keep back are held first (dialer_screen); until then a case may go as far as is known.
            IF v_until IS NULL AND v_reach > 4000 THEN
                v_until := p_now;
            END IF;
            -- To ask about all of them would cost more than a claim has time for.
            IF v_asked = v_reach AND v_reach >= 16 AND v_last > p_now THEN
                v_until := least(v_until, dialer_open_at(v_case.project_id, v_case.utc, v_case.allowed_start,
                    v_case.allowed_stop, v_case.zones, v_case.region, v_case.number_region, v_last));
            END IF;
            EXIT WHEN v_asked < v_reach
                OR least(v_until, v_ends) <= v_last
                OR least(v_until, v_ends) <= dialer_open_at(v_case.project_id, v_case.utc, v_case.allowed_start, v_case.allowed_stop,
                    v_case.zones, v_case.region, v_case.number_region, v_last);
            v_reach := v_reach * 4;
        END LOOP;
        EXIT WHEN v_until <= p_now;
    END LOOP;
    -- Held cases, by the instant before which none of them can go.
    v_reach := 1;
    LOOP
        SELECT count(*), max(k.held_until), min(g.ready_at) INTO v_asked, v_last, v_ready
        FROM (
            SELECT h.id, h.held_until FROM dialer_held h
            WHERE h.project_id = p_project AND h.held_until IS NOT NULL
              AND (v_list_until IS NULL OR h.held_until < v_list_until
                OR h.deferred_kind = 'scheduled' AND NOT h.deferred_done)
            ORDER BY h.held_until LIMIT v_reach
        ) k
        CROSS JOIN LATERAL (SELECT o.ready_at FROM dialer_gate o WHERE o.case_id = k.id OFFSET 0) g;
        v_until := least(v_until, v_ready);
        EXIT WHEN v_asked < v_reach OR v_until <= v_last;
        v_reach := v_reach * 4;
    END LOOP;
    PERFORM set_config('dialer.now', v_set, true);
    RETURN v_until;
END
$$
