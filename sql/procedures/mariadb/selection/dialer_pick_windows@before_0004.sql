-- dialer_pick_windows(p_project, p_now, p_n, p_equal, p_order, p_minutes, p_held)
-- Fills dialer_candidates for dialer_pick_fresh: from each window in dialer_windows_found (with the offset p_minutes;
-- NULL: from all) the first p_n fresh cases for which p_equal holds, in the order of p_order. p_equal and p_order are
-- SQL composed by dialer_pick_fresh from column names and numbers only. p_held: held cases whose time has come are among
-- them.
CREATE OR REPLACE PROCEDURE dialer_pick_windows(
    p_project varchar(400),
    p_now datetime(6),
    p_n bigint,
    p_equal varchar(200),
    p_order varchar(50),
    p_minutes int,
    p_held tinyint(1)
)
BEGIN
    DECLARE v_text longtext;
    DECLARE v_index varchar(50) DEFAULT CASE
        WHEN p_equal LIKE '%priority%' AND (p_equal LIKE '%created%' OR p_order LIKE 'created%') THEN 'fresh_both'
        WHEN p_equal LIKE '%priority%' OR (p_equal = '' AND p_order LIKE 'priority%') THEN 'fresh_priority'
        WHEN p_equal LIKE '%created%' OR p_order LIKE 'created%' THEN 'fresh_created'
        ELSE 'fresh_id'
    END;
    -- MariaDB has no LATERAL, so each window has a SELECT of its own. Cases after the last one seen belong to open
    -- transactions, or have just come. With that bound an ascending scan skips them in the index alone; before 10.6,
    -- looking at each row would cost the square of their number.
    SELECT group_concat(
        '(SELECT c.id, c.priority, c.created, ', f.minutes,
        ' FROM dialer_clients c FORCE INDEX (dialer_clients_', v_index, ')',
        ' WHERE c.project_id = ', quote(p_project), ' AND c.waits_as = ''fresh'' AND c.window_key = ', quote(f.window_key),
        p_equal,
        IF(p_order LIKE '% DESC', '', concat(' AND c.id <= ', f.last_id)),
        ' AND (c.not_before_at IS NULL OR c.not_before_at <= ', quote(p_now), ')',
        IF(p_order = '', '', concat(' ORDER BY c.', p_order)), ' LIMIT ', p_n, ')'
        SEPARATOR ' UNION ALL ') INTO v_text
    FROM dialer_windows_found f
    WHERE p_minutes IS NULL OR f.minutes = p_minutes;
    IF p_held THEN
        SELECT concat(v_text, ' UNION ALL ', group_concat(
            '(SELECT c.id, c.priority, c.created, ', f.minutes,
            ' FROM dialer_clients c FORCE INDEX (dialer_clients_held)',
            ' WHERE c.project_id = ', quote(p_project),
            ' AND c.waits_for IN (''do_not_call'', ''number_limit'', ''number_pause'')',
            ' AND c.held_until <= ', quote(p_now), ' AND c.window_key = ', quote(f.window_key),
            ' AND (c.deferred_time IS NULL OR c.deferred_done)',
            p_equal,
            ' AND (c.not_before_at IS NULL OR c.not_before_at <= ', quote(p_now), ')',
            IF(p_order = '', '', concat(' ORDER BY c.', p_order)), ' LIMIT ', p_n, ')'
            SEPARATOR ' UNION ALL ')) INTO v_text
        FROM dialer_windows_found f
        WHERE p_minutes IS NULL OR f.minutes = p_minutes;
    END IF;
    DELETE FROM dialer_candidates;
    IF v_text IS NOT NULL THEN
        EXECUTE IMMEDIATE concat('INSERT INTO dialer_candidates (id, priority, created, minutes) ', v_text);
    END IF;
END
