-- dialer_alike(p_project, p_kind, p_window, p_waits_for) -> text
-- For dialer_why_count: among the waiting cases of one kind and window, those that wait for the same thing at
-- dialer_now(). p_waits_for: instant, when they are due; delay, the end of a delay; nothing, neither of these. Returns
-- a JSON object: cases, how many there are; case_id, one of them that does not stand apart (dialer_gate; NULL if all
-- do); first_at, the earliest instant. (PostgreSQL groups by an index instead. MariaDB reads a range of an index only
-- between values known in advance, and quickly only in a statement of its own.)
CREATE OR REPLACE FUNCTION dialer_alike(
    p_project varchar(400),
    p_kind varchar(20),
    p_window varchar(400),
    p_waits_for varchar(20)
)
RETURNS varchar(200)
READS SQL DATA
BEGIN
    DECLARE v_now datetime(6) DEFAULT dialer_now();
    DECLARE v_cases bigint;
    DECLARE v_late bigint;
    DECLARE v_case bigint;
    DECLARE v_first datetime(6);
    -- i: read from an index alone. In a function the server reads whole rows of a table wherever any statement does so
    -- under the same alias.
    IF p_kind = 'fresh' THEN
        SELECT count(*), min(i.not_before_at) INTO v_late, v_first
        FROM dialer_clients i FORCE INDEX (dialer_clients_delayed)
        WHERE i.project_id = p_project AND i.waits_as = p_kind AND i.window_key = p_window
          AND i.not_before_at > v_now;
        IF p_waits_for = 'delay' THEN
            SET v_cases = v_late;
            SELECT c.id INTO v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
              AND c.not_before_at > v_now
              AND NOT (SELECT g.stands_apart FROM dialer_gate_reasons g WHERE g.case_id = c.id)
            LIMIT 1;
        ELSE
            SELECT count(*) - v_late, NULL INTO v_cases, v_first
            FROM dialer_clients i FORCE INDEX (dialer_clients_delayed)
            WHERE i.project_id = p_project AND i.waits_as = p_kind AND i.window_key = p_window;
            SELECT c.id INTO v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
              AND (c.not_before_at IS NULL OR c.not_before_at <= v_now)
              AND NOT (SELECT g.stands_apart FROM dialer_gate_reasons g WHERE g.case_id = c.id)
            LIMIT 1;
        END IF;
    ELSEIF p_waits_for = 'instant' THEN
        SELECT count(*), min(i.deferred_time) INTO v_cases, v_first
        FROM dialer_clients i FORCE INDEX (dialer_clients_deferred)
        WHERE i.project_id = p_project AND i.waits_as = p_kind AND i.window_key = p_window
          AND i.deferred_time > v_now;
        SELECT c.id INTO v_case
        FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
        WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
          AND c.deferred_time > v_now
          AND NOT (SELECT g.stands_apart FROM dialer_gate_reasons g WHERE g.case_id = c.id)
        LIMIT 1;
    ELSE
        SELECT count(*), min(c.not_before_at) INTO v_late, v_first
        FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
        WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
          AND c.not_before_at > v_now AND c.deferred_time <= v_now;
        IF p_waits_for = 'delay' THEN
            SET v_cases = v_late;
            SELECT c.id INTO v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_delayed)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
              AND c.not_before_at > v_now AND c.deferred_time <= v_now
              AND NOT (SELECT g.stands_apart FROM dialer_gate_reasons g WHERE g.case_id = c.id)
            LIMIT 1;
        ELSE
            SELECT count(*) - v_late, NULL INTO v_cases, v_first
            FROM dialer_clients i FORCE INDEX (dialer_clients_deferred)
            WHERE i.project_id = p_project AND i.waits_as = p_kind AND i.window_key = p_window
              AND i.deferred_time <= v_now;
            SELECT c.id INTO v_case
            FROM dialer_clients c FORCE INDEX (dialer_clients_deferred)
            WHERE c.project_id = p_project AND c.waits_as = p_kind AND c.window_key = p_window
              AND c.deferred_time <= v_now AND (c.not_before_at IS NULL OR c.not_before_at <= v_now)
              AND NOT (SELECT g.stands_apart FROM dialer_gate_reasons g WHERE g.case_id = c.id)
            LIMIT 1;
        END IF;
    END IF;
    RETURN json_object('cases', v_cases, 'case_id', v_case, 'first_at', v_first);
END
