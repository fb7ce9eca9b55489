-- dialer_pick_scan(p_project, p_now, p_n, p_held) -> place, case_id, kind, due_at
-- The first p_n cases in dial order among those that may be called as far as an index knows: due scheduled callbacks by
-- their instant, due redials by theirs, then fresh cases by the project's sort; none in a closed window, and none whose
-- delay is not over; of a project whose list is too old callbacks alone. Other reasons are not checked here, but
-- afterwards for the cases found (dialer_pick). Places from 1. Nothing is locked or claimed. p_held: cases that a rule
-- holds are among them, if their time has come.
CREATE OR REPLACE PROCEDURE dialer_pick_scan(p_project varchar(400), p_now datetime(6), p_n int, p_held tinyint(1))
BEGIN
    DECLARE v_kinds varchar(40);
    DECLARE v_kind varchar(20);
    DECLARE v_left int DEFAULT p_n;
    DECLARE v_callbacks_alone tinyint(1);
    DECLARE v_sort varchar(400);
    IF NOT @dialer_temporaries <=> schema() THEN
        CALL dialer_temporaries();
    END IF;
    DELETE FROM dialer_scanned;
    -- Mostly there are neither, and no windows are asked for. (In the condition of an IF the question would lock.)
    SELECT
        concat_ws(
            ',',
            (SELECT 'scheduled' FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
             WHERE c.project_id = p_project AND c.waits_as = 'scheduled' LIMIT 1),
            (SELECT 'redial' FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_id)
             WHERE c.project_id = p_project AND c.waits_as = 'redial' LIMIT 1)),
        coalesce(max(r.scrub_blocks AND r.list_until <= p_now), false),
        replace(coalesce(max(r.sort), '2:1'), ' ', '')
    INTO v_kinds, v_callbacks_alone, v_sort
    FROM dialer_rules r WHERE r.project_id = p_project;
    IF p_held THEN
        SET v_kinds = 'scheduled,redial';
    END IF;
    IF v_callbacks_alone THEN
        SET v_kinds = IF(v_kinds LIKE 'scheduled%', 'scheduled', '');
    END IF;
    kinds: WHILE v_kinds <> '' AND v_left > 0 DO
        SET v_kind = substring_index(v_kinds, ',', 1),
            v_kinds = substr(v_kinds, char_length(v_kind) + 2);
        DELETE FROM dialer_due;
        CALL dialer_call_windows(p_project, v_kind, p_now);
        FOR w IN (SELECT f.window_key FROM dialer_windows_found f WHERE f.is_open) DO
            INSERT INTO dialer_due (case_id, due_at)
            SELECT c.id, c.deferred_time
            FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
            WHERE c.project_id = p_project
              AND c.waits_as = v_kind
              AND c.window_key = w.window_key
              AND c.deferred_time <= p_now
              AND (c.not_before_at IS NULL OR c.not_before_at <= p_now)
            ORDER BY c.deferred_time, c.id
            LIMIT v_left;
        END FOR;
        IF p_held THEN
            CALL dialer_call_windows(p_project, 'held', p_now);
            INSERT INTO dialer_due (case_id, due_at)
            SELECT c.id, c.deferred_time
            FROM dialer_windows_found w
            STRAIGHT_JOIN dialer_clients c FORCE INDEX (dialer_clients_held) ON c.project_id = p_project
                AND c.waits_for IN ('do_not_call', 'number_limit', 'number_pause') AND c.held_until <= p_now
                AND c.window_key = w.window_key
            WHERE w.is_open
              AND c.deferred_kind = v_kind
              AND NOT c.deferred_done
              AND c.deferred_time <= p_now
              AND (c.not_before_at IS NULL OR c.not_before_at <= p_now);
        END IF;
        INSERT IGNORE INTO dialer_scanned (case_id, kind, due_at)
        SELECT d.case_id, v_kind, d.due_at FROM dialer_due d ORDER BY d.due_at, d.case_id LIMIT v_left;
        SELECT p_n - count(*) INTO v_left FROM dialer_scanned;
    END WHILE;
    IF v_left > 0 AND NOT v_callbacks_alone THEN
        CALL dialer_call_windows(p_project, 'fresh', p_now);
        IF p_held THEN
            CALL dialer_call_windows(p_project, 'held', p_now);
        END IF;
        CALL dialer_pick_fresh(p_project, v_sort, p_now, v_left, p_held);
    END IF;
END
