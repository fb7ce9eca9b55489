-- dialer_pick_fresh(p_project, p_sort, p_now, p_n, p_held)
-- Appends the first p_n fresh cases of the open windows in dialer_windows_found, in the order of the project's sort, p_sort,
-- to dialer_scanned; for dialer_pick_scan. (PostgreSQL has one query for it, see its dialer_pick_text.)
--
-- Column by column: from each window read one case more than is wanted, by an index on that column alone; after merging,
-- the value of the last one wanted is the bound. Cases before the bound are chosen; among those at the bound the next
-- column decides, in the end the id, unless all of them are wanted. So the ascending id that breaks ties needs no index
-- of its own for each direction, and nothing reads more than it returns (except that one case, and cases with a delay).
-- utc is the same throughout a window: if it is a column of the sort, windows with the same offset are read together.
-- The default order in a single window, which is what most lists have by day, needs none of that.
CREATE OR REPLACE PROCEDURE dialer_pick_fresh(
    p_project varchar(400),
    p_sort varchar(400),
    p_now datetime(6),
    p_n int,
    p_held tinyint(1)
)
work: BEGIN
    DECLARE v_sort varchar(400) DEFAULT concat(p_sort, ',');
    DECLARE v_terms varchar(400);
    DECLARE v_term varchar(10);
    DECLARE v_column varchar(10);
    DECLARE v_direction varchar(5);
    DECLARE v_seen varchar(100) DEFAULT '';
    DECLARE v_equal varchar(200) DEFAULT '';
    DECLARE v_order text DEFAULT '';
    DECLARE v_left int DEFAULT p_n;
    DECLARE v_found int;
    DECLARE v_minutes int;
    DECLARE v_bound varchar(50);
    DECLARE v_key varchar(4000);
    DECLARE v_last bigint;
    DECLARE v_at datetime(6);
    SELECT count(*), max(f.window_key), max(f.last_id) INTO v_found, v_key, v_last
    FROM dialer_windows_found f WHERE f.is_open;
    IF p_sort = '2:1' AND v_found = 1 AND NOT p_held THEN
        -- One case more than is wanted is read. Those created after that last one are all that are wanted, unless it
        -- shares its instant with others that are; among these the id decides.
        DELETE FROM dialer_candidates;
        SET v_left = p_n + 1;
        INSERT INTO dialer_candidates (id, priority, created, minutes)
        SELECT c.id, c.priority, c.created, 0 FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_created)
        WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key = v_key
          AND (c.not_before_at IS NULL OR c.not_before_at <= p_now)
        ORDER BY c.created DESC LIMIT v_left;
        IF row_count() = v_left THEN
            SELECT min(d.created) INTO v_at FROM dialer_candidates d;
        END IF;
        INSERT IGNORE INTO dialer_scanned (case_id, kind, due_at)
        SELECT d.id, 'fresh', NULL FROM dialer_candidates d
        WHERE v_at IS NULL OR d.created > v_at
        ORDER BY d.created DESC, d.id;
        SET v_left = p_n - row_count();
        IF v_at IS NOT NULL AND v_left > 0 THEN
            INSERT IGNORE INTO dialer_scanned (case_id, kind, due_at)
            SELECT c.id, 'fresh', NULL FROM dialer_clients c FORCE INDEX (dialer_clients_fresh_created)
            WHERE c.project_id = p_project AND c.waits_as = 'fresh' AND c.window_key = v_key AND c.created = v_at
              AND c.id <= v_last AND (c.not_before_at IS NULL OR c.not_before_at <= p_now)
            ORDER BY c.id LIMIT v_left;
        END IF;
        LEAVE work;
    END IF;
    DELETE FROM dialer_chosen;
    SET v_terms = v_sort;
    WHILE v_terms <> '' DO
        SET v_order = concat(v_order, CASE left(v_terms, 1) WHEN '1' THEN 'priority' WHEN '2' THEN 'created' ELSE 'minutes' END,
                IF(substr(v_terms, 3, 1) = '1', ' DESC, ', ' ASC, ')),
            v_terms = substr(v_terms, 5);
    END WHILE;
    columns: WHILE v_left > 0 DO
        SET v_term = substring_index(v_sort, ',', 1),
            v_sort = substr(v_sort, char_length(v_term) + 2),
            v_column = CASE left(v_term, 1) WHEN '1' THEN 'priority' WHEN '2' THEN 'created' WHEN '3' THEN 'minutes' ELSE 'id' END,
            v_direction = IF(right(v_term, 1) = '1', ' DESC', ' ASC');
        IF find_in_set(v_column, v_seen) THEN
            ITERATE columns;
        END IF;
        SET v_seen = concat(v_seen, ',', v_column);
        IF v_column = 'minutes' THEN
            -- Go through the windows by offset; those of the first offset with more than enough cases go on to the next
            -- column.
            FOR g IN (
                SELECT DISTINCT f.minutes FROM dialer_windows_found f WHERE f.is_open
                ORDER BY IF(v_direction = ' DESC', -f.minutes, f.minutes)
            ) DO
                IF v_left > 0 AND v_minutes IS NULL THEN
                    CALL dialer_pick_windows(p_project, p_now, v_left, v_equal, '', g.minutes, p_held);
                    SELECT count(*) INTO v_found FROM dialer_candidates;
                    IF v_found < v_left THEN
                        INSERT INTO dialer_chosen SELECT * FROM dialer_candidates;
                        SET v_left = v_left - v_found;
                    ELSE
                        SET v_minutes = g.minutes;
                    END IF;
                END IF;
            END FOR;
            IF v_minutes IS NULL THEN
                LEAVE columns;
            END IF;
            ITERATE columns;
        END IF;
        CALL dialer_pick_windows(p_project, p_now, v_left + 1, v_equal, concat(v_column, v_direction), v_minutes, p_held);
        SELECT count(*) INTO v_found FROM dialer_candidates;
        IF v_found <= v_left THEN
            INSERT INTO dialer_chosen SELECT * FROM dialer_candidates;
            LEAVE columns;
        END IF;
        SET v_left = v_left - 1;
        CASE v_column
            WHEN 'id' THEN
                SET v_left = v_left + 1;
                INSERT INTO dialer_chosen SELECT * FROM dialer_candidates ORDER BY id LIMIT v_left;
                LEAVE columns;
            WHEN 'priority' THEN
                IF v_direction = ' DESC' THEN
                    SELECT priority INTO v_bound FROM dialer_candidates ORDER BY priority DESC LIMIT v_left, 1;
                    INSERT INTO dialer_chosen SELECT * FROM dialer_candidates WHERE priority > v_bound;
                ELSE
                    SELECT priority INTO v_bound FROM dialer_candidates ORDER BY priority LIMIT v_left, 1;
                    INSERT INTO dialer_chosen SELECT * FROM dialer_candidates WHERE priority < v_bound;
                END IF;
                SET v_equal = concat(v_equal, ' AND c.priority = ', v_bound);
            ELSE
                IF v_direction = ' DESC' THEN
                    SELECT created INTO v_bound FROM dialer_candidates ORDER BY created DESC LIMIT v_left, 1;
                    INSERT INTO dialer_chosen SELECT * FROM dialer_candidates WHERE created > v_bound;
                ELSE
                    SELECT created INTO v_bound FROM dialer_candidates ORDER BY created LIMIT v_left, 1;
                    INSERT INTO dialer_chosen SELECT * FROM dialer_candidates WHERE created < v_bound;
                END IF;
                SET v_equal = concat(v_equal, ' AND c.created = ', quote(v_bound));
        END CASE;
        SELECT p_n - count(*) INTO v_left FROM dialer_chosen;
        SELECT count(*) INTO v_found FROM dialer_candidates
        WHERE IF(v_column = 'priority', priority = v_bound, created = v_bound);
        IF v_found = v_left THEN
            INSERT INTO dialer_chosen SELECT * FROM dialer_candidates
            WHERE IF(v_column = 'priority', priority = v_bound, created = v_bound);
            LEAVE columns;
        END IF;
    END WHILE;
    EXECUTE IMMEDIATE concat('INSERT IGNORE INTO dialer_scanned (case_id, kind, due_at)',
        ' SELECT id, ''fresh'', NULL FROM dialer_chosen ORDER BY ', v_order, 'id LIMIT ', p_n);
END
