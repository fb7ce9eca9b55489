-- dialer_pick_text(p_sort, p_held) -> SQL
-- The query that takes the first fresh cases of each open window in the order of p_sort, for dialer_pick_scan:
-- $1 project, $2 window keys, $3 their offsets in minutes, $4 now, $5 how many. utc is the same throughout a window, so
-- inside one only priority and created matter for the order; the merge orders by all columns, ties by id. p_held: held
-- cases whose time has come are among them.
--
-- Inside a window: the value b at place $5 of the leading column is one probe of an index; fewer than $5 rows lie
-- before b; among the rows at b the next column (in the end id) picks the first $5. So the ascending id that breaks
-- ties needs no index of its own for each direction, and no query reads more than it returns (except cases with a
-- delay).
CREATE OR REPLACE FUNCTION dialer_pick_text(p_sort varchar, p_held bool)
RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    c_source CONSTANT text := 'SELECT f.id, f.priority, f.created FROM '
        || CASE WHEN p_held THEN '(SELECT x.id, x.project_id, x.window_key, x.priority, x.created, x.not_before_at'
                || ' FROM dialer_fresh x UNION ALL SELECT h.id, h.project_id, h.window_key, h.priority, h.created,'
                || ' h.not_before_at FROM dialer_held h WHERE h.held_until <= $4'
                || ' AND (h.deferred_time IS NULL OR h.deferred_done))'
            ELSE 'dialer_fresh' END || ' f'
        || ' WHERE f.project_id = $1 AND f.window_key = k.window_key'
        || ' AND (f.not_before_at IS NULL OR f.not_before_at <= $4)';
    v_term text;
    v_column text;
    v_descending bool;
    v_direction text;
    v_seen text[] := '{}';
    v_equal text := '';
    v_branches text := '';
    v_bounds text := '';
    v_bound text;
    v_last text;
    v_order text := '';
BEGIN
    FOREACH v_term IN ARRAY string_to_array(replace(p_sort, ' ', ''), ',') LOOP
        v_column := CASE split_part(v_term, ':', 1) WHEN '1' THEN 'priority' WHEN '2' THEN 'created' ELSE 'minutes' END;
        CONTINUE WHEN v_column = ANY (v_seen);
        v_seen := v_seen || v_column;
        v_descending := split_part(v_term, ':', 2) = '1';
        v_direction := CASE WHEN v_descending THEN ' DESC' ELSE ' ASC' END;
        v_order := v_order || CASE v_column WHEN 'minutes' THEN 'k.' ELSE 'c.' END || v_column || v_direction || ', ';
        CONTINUE WHEN v_column = 'minutes';
        v_bound := 'b_' || v_column;
        -- Fewer than $5 rows: the bound is the end of the type, so all rows lie before it.
        v_last := CASE WHEN v_column = 'created'
                THEN CASE WHEN v_descending THEN '''-infinity''::timestamptz' ELSE '''infinity''::timestamptz' END
                ELSE CASE WHEN v_descending THEN '(-9223372036854775808)' ELSE '9223372036854775807' END
            END;
        v_bounds := v_bounds || ' CROSS JOIN LATERAL (SELECT coalesce((SELECT x.' || v_column || ' FROM ('
            || c_source || v_equal || ') x ORDER BY x.' || v_column || v_direction
            || ' OFFSET $5 - 1 LIMIT 1), ' || v_last || ') AS ' || v_bound || ') AS by_' || v_column;
        v_branches := v_branches || c_source || v_equal || ' AND f.' || v_column
            || CASE WHEN v_descending THEN ' > ' ELSE ' < ' END || v_bound || ' UNION ALL ';
        v_equal := v_equal || ' AND f.' || v_column || ' = ' || v_bound;
    END LOOP;
    v_branches := v_branches || '(' || c_source || v_equal || ' ORDER BY f.id LIMIT $5)';
    RETURN 'SELECT c.id FROM unnest($2, $3) AS k (window_key, minutes)' || v_bounds
        || ' CROSS JOIN LATERAL (' || v_branches || ') c ORDER BY ' || v_order || 'c.id LIMIT $5';
END
$$
