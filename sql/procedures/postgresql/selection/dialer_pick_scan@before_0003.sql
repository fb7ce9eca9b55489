-- dialer_pick_scan(p_project, p_now, p_n, p_held) -> place, case_id, kind, due_at
-- The first p_n cases in dial order among those that may be called as far as an index knows: due scheduled callbacks by
-- their instant, due redials by theirs, then fresh cases by the project's sort; none in a closed window, and none whose
-- delay is not over; of a project whose list is too old callbacks alone. Other reasons are not checked here, but
-- afterwards for the cases found (dialer_pick). Places from 1. Nothing is locked or claimed. p_held: cases that a rule
-- holds are among them, if their time has come.
CREATE OR REPLACE FUNCTION dialer_pick_scan(p_project varchar, p_now timestamptz, p_n int, p_held bool)
RETURNS TABLE (place bigint, case_id bigint, kind varchar, due_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path FROM CURRENT
AS $$
DECLARE
    v_sort varchar;
    v_keys varchar[];
    v_minutes int[];
    v_held_keys varchar[];
    v_held_minutes int[];
    v_callbacks_alone bool;
BEGIN
    place := 0;
    SELECT r.sort, r.scrub_blocks AND r.list_until <= p_now INTO v_sort, v_callbacks_alone
    FROM dialer_rules r WHERE r.project_id = p_project;
    IF p_held THEN
        SELECT array_agg(w.window_key), array_agg(w.minutes) INTO v_held_keys, v_held_minutes
        FROM dialer_call_windows(p_project, 'held', p_now) w WHERE w.is_open;
    END IF;
    FOREACH kind IN ARRAY ARRAY['scheduled', 'redial'] LOOP
        EXIT WHEN kind = 'redial' AND v_callbacks_alone;
        -- Mostly there are none, and no windows are asked for.
        CONTINUE WHEN v_held_keys IS NULL AND NOT EXISTS (
            SELECT FROM dialer_deferred d WHERE d.project_id = p_project AND d.deferred_kind = kind);
        v_keys := ARRAY(SELECT w.window_key FROM dialer_call_windows(p_project, kind, p_now) w WHERE w.is_open);
        FOR case_id, due_at IN
            SELECT c.id, c.deferred_time
            FROM unnest(v_keys) k (window_key)
            CROSS JOIN LATERAL (
                SELECT d.id, d.deferred_time
                FROM dialer_deferred d
                WHERE d.project_id = p_project
                  AND d.deferred_kind = kind
                  AND d.window_key = k.window_key
                  AND d.deferred_time <= p_now
                  AND (d.not_before_at IS NULL OR d.not_before_at <= p_now)
                ORDER BY d.deferred_time, d.id
                LIMIT p_n - place
            ) c
            UNION ALL
            SELECT h.id, h.deferred_time
            FROM dialer_held h
            WHERE h.project_id = p_project
              AND h.window_key = ANY (v_held_keys)
              AND h.held_until <= p_now
              AND h.deferred_kind = kind
              AND NOT h.deferred_done
              AND h.deferred_time <= p_now
              AND (h.not_before_at IS NULL OR h.not_before_at <= p_now)
            ORDER BY 2, 1
            LIMIT p_n - place
        LOOP
            place := place + 1;
            RETURN NEXT;
        END LOOP;
    END LOOP;
    IF place >= p_n OR v_callbacks_alone THEN
        RETURN;
    END IF;
    kind := 'fresh';
    due_at := NULL;
    SELECT array_agg(w.window_key), array_agg(w.minutes) INTO v_keys, v_minutes
    FROM (
        SELECT f.window_key, f.minutes FROM dialer_call_windows(p_project, 'fresh', p_now) f WHERE f.is_open
        UNION
        SELECT * FROM unnest(v_held_keys, v_held_minutes)
    ) w;
    IF v_keys IS NULL THEN
        RETURN;
    END IF;
    IF v_sort = '2:1' AND NOT p_held THEN
        -- The default order: what dialer_pick_text writes for it, here with a plan that is kept.
        FOR case_id IN
            SELECT c.id
            FROM unnest(v_keys) AS k (window_key)
            CROSS JOIN LATERAL (
                SELECT coalesce((
                    SELECT f.created FROM dialer_fresh f
                    WHERE f.project_id = p_project AND f.window_key = k.window_key
                      AND (f.not_before_at IS NULL OR f.not_before_at <= p_now)
                    ORDER BY f.created DESC OFFSET p_n - place - 1 LIMIT 1), '-infinity') AS created
            ) b
            CROSS JOIN LATERAL (
                SELECT f.id, f.created FROM dialer_fresh f
                WHERE f.project_id = p_project AND f.window_key = k.window_key
                  AND (f.not_before_at IS NULL OR f.not_before_at <= p_now) AND f.created > b.created
                UNION ALL
                (SELECT f.id, f.created FROM dialer_fresh f
                 WHERE f.project_id = p_project AND f.window_key = k.window_key
                   AND (f.not_before_at IS NULL OR f.not_before_at <= p_now) AND f.created = b.created
                 ORDER BY f.id LIMIT p_n - place)
            ) c
            ORDER BY c.created DESC, c.id
            LIMIT p_n - place
        LOOP
            place := place + 1;
            RETURN NEXT;
        END LOOP;
        RETURN;
    END IF;
    FOR case_id IN
        EXECUTE dialer_pick_text(coalesce(v_sort, '2:1'), p_held)
        USING p_project, v_keys, v_minutes, p_now, (p_n - place)::int
    LOOP
        place := place + 1;
        RETURN NEXT;
    END LOOP;
END
$$
