-- dialer_next(p_project, p_now, p_n) -> place, case_id, phone_number, kind, due_at, priority, utc, number
-- The cases that would be dialled next, in dial order; nothing is claimed. Cases claimed and not yet dialled come
-- first. number: which of the case's numbers is dialled, in one form. All of them are without an own reason
-- (dialer_gate). p_now NULL means dialer_now(); another instant, '2026-11-24 09:00' by the session's clock or with an
-- offset ('+03'), asks about that time.
CREATE OR REPLACE PROCEDURE dialer_next(p_project varchar(400), p_now varchar(400), p_n int)
BEGIN
    DECLARE v_now datetime(6);
    DECLARE v_set varchar(400) DEFAULT @dialer_now;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        SET @dialer_now = v_set;
        RESIGNAL;
    END;
    IF NOT coalesce(p_n >= 0, false) THEN
        CALL dialer_refuse('The number of cases', p_n, 'write how many to show, such as 10');
    END IF;
    -- As text, since a datetime would take an offset's hours for seconds.
    SELECT coalesce(dialer_read_instant(p_now), dialer_now()) INTO v_now;
    IF coalesce(unix_timestamp(v_now), 0) <= 0 THEN
        CALL dialer_refuse('The instant', v_now, 'write one from 1970 to 2037: this server''s clock knows no others');
    END IF;
    -- The client of a careful DBA refuses a DELETE of whole tables.
    SET STATEMENT sql_safe_updates = OFF FOR CALL dialer_pick(p_project, v_now, p_n, false);
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_in_hand (
        place bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
        case_id bigint NOT NULL,
        kind varchar(20) NOT NULL,
        due_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    SET STATEMENT sql_safe_updates = OFF FOR DELETE FROM dialer_in_hand;
    SET @dialer_now = NULL;
    -- As in dialer_pick.
    SET STATEMENT timestamp = unix_timestamp(v_now) + 0.0000005 FOR
    INSERT INTO dialer_in_hand (case_id, kind, due_at)
    SELECT l.case_id, l.kind, l.due_at
    FROM dialer_claims l
    STRAIGHT_JOIN dialer_clients c ON c.id = l.case_id AND c.inserted_at = l.case_inserted_at
    STRAIGHT_JOIN dialer_gate g ON g.case_id = l.case_id
    WHERE l.project_id = p_project AND l.attempt_id IS NULL AND g.own_reason IS NULL
    ORDER BY l.place;
    SET @dialer_now = v_set;
    SELECT n.place, n.case_id, c.phone_number, n.kind, n.due_at, c.priority, c.utc, c.number
    FROM (
        SELECT row_number() OVER (ORDER BY h.place) AS place, h.case_id, h.kind, h.due_at FROM dialer_in_hand h
        UNION ALL
        SELECT (SELECT count(*) FROM dialer_in_hand) + row_number() OVER (ORDER BY k.place), k.case_id, k.kind, k.due_at
        FROM dialer_picked k
    ) n
    JOIN dialer_clients c ON c.id = n.case_id
    ORDER BY n.place
    LIMIT p_n;
END
