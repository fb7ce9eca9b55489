-- dialer_trunk_room(p_trunk, p_asterisk, p_now) -> room, retry_at, base_at, gap_seconds
-- How many calls may begin on a trunk now: its free lines, and what calls_per_second permits; retry_at: when to ask for
-- more, if calls per second are the limit. Calls are spaced evenly (a virtual schedule, ITU-T I.371's generic cell rate
-- algorithm): the n-th from now may begin at base_at + n * gap_seconds, n from 0. A turn of the worker takes a while,
-- so calls due within 50 ms may begin at once; a turn that comes late may catch up with up to `burst` calls at once,
-- and a trunk that was idle for a second begins evenly. A failing trunk gets one call at a time to try, at growing
-- intervals. The caller holds the row of dialer_trunk_states.
CREATE OR REPLACE FUNCTION dialer_trunk_room(p_trunk varchar(400), p_asterisk varchar(400), p_now datetime(6))
-- A function on MariaDB returns one value: a JSON object with the four as its members.
RETURNS varchar(200)
READS SQL DATA
BEGIN
    DECLARE v_state varchar(20);
    DECLARE v_retry_at datetime(6);
    DECLARE v_calls_per_second decimal(8, 3);
    DECLARE v_next datetime(6);
    DECLARE v_base datetime(6);
    DECLARE v_gap decimal(20, 6);
    DECLARE v_turn int;
    DECLARE v_burst int;
    DECLARE v_lines int;
    DECLARE v_out int;
    DECLARE v_room int;
    SELECT t.state, t.retry_at, t.lines_free, t.calls_per_second, t.burst
    INTO v_state, v_retry_at, v_lines, v_calls_per_second, v_burst
    FROM dialer_stat_trunk t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT s.next_at INTO v_next FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk;
    SET v_gap = CAST(1 AS decimal(20, 10)) / v_calls_per_second,
        v_turn = ceiling(v_calls_per_second / 20),
        v_burst = greatest(v_burst, v_turn);
    -- It is never later than one gap from now; if it seems so, the clock was set back, or the gap was longer then.
    SET v_base = CASE
        WHEN v_next BETWEEN p_now - INTERVAL 1 SECOND AND p_now + INTERVAL v_gap SECOND
            THEN greatest(v_next, p_now - INTERVAL ((v_burst - 1) * v_gap) SECOND)
        ELSE p_now - INTERVAL ((v_turn - 1) * v_gap) SECOND
    END;
    IF v_state = 'failing' THEN
        -- Conversations go on meanwhile; only a try still under way keeps the next one from beginning.
        SELECT count(*) INTO v_out
        FROM dialer_live l
        JOIN dialer_calls a ON a.id = l.attempt_id
        WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk AND a.answered_at IS NULL;
        RETURN json_object(
            'room', IF(v_retry_at <= p_now AND v_lines > 0 AND v_out = 0, 1, 0),
            'retry_at', greatest(coalesce(v_retry_at, p_now), p_now + INTERVAL 1 SECOND),
            'base_at', v_base, 'gap_seconds', v_gap);
    END IF;
    SET v_room = IF(v_base > p_now, 0,
        floor((timestampdiff(MICROSECOND, v_base, p_now) / 1000000 + 0.000001) / v_gap) + 1);
    IF v_room <= v_lines AND v_lines > 0 THEN
        SET v_retry_at = v_base + INTERVAL (v_room * v_gap) SECOND;
    ELSE
        SET v_room = v_lines, v_retry_at = NULL;
    END IF;
    RETURN json_object('room', v_room, 'retry_at', v_retry_at, 'base_at', v_base, 'gap_seconds', v_gap);
END
