-- dialer_trunk_room(p_trunk, p_asterisk, p_now) -> room, retry_at
-- How many calls may begin on a trunk now: its free lines, and what calls_per_second leaves of the current
-- second; retry_at: when to ask for more, if it is the calls per second that bound them. A failing trunk gets
-- one call at a time to try, at growing intervals. The caller holds the trunk's row.
CREATE OR REPLACE FUNCTION dialer_trunk_room(p_trunk varchar(400), p_asterisk varchar(400), p_now datetime(6))
-- A function has one value here: a JSON object with the two as its members.
RETURNS varchar(100)
READS SQL DATA
BEGIN
    DECLARE v_state varchar(20);
    DECLARE v_retry_at datetime(6);
    DECLARE v_max_lines int;
    DECLARE v_calls_per_second decimal(8, 3);
    DECLARE v_live int;
    DECLARE v_out int;
    DECLARE v_burst int;
    DECLARE v_span decimal(20, 6);
    DECLARE v_recent int;
    DECLARE v_oldest datetime(6);
    DECLARE v_room int;
    SELECT t.state, t.retry_at, t.max_lines, t.calls_per_second
    INTO v_state, v_retry_at, v_max_lines, v_calls_per_second
    FROM dialer_trunks t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT count(*) INTO v_live FROM dialer_live l WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk;
    IF v_state = 'failing' THEN
        -- Conversations go on meanwhile; only a try that is still out stands in the way of the next.
        SELECT count(*) INTO v_out
        FROM dialer_live l
        JOIN dialer_attempts a ON a.id = l.attempt_id
        WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk AND a.answered_at IS NULL;
        RETURN json_object(
            'room', IF(v_retry_at <= p_now AND v_live < v_max_lines AND v_out = 0, 1, 0),
            'retry_at', greatest(coalesce(v_retry_at, p_now), p_now + INTERVAL 1 SECOND));
    END IF;
    -- A whole number of calls in the shortest span of a second or more: 2.5 a second is 3 in 1.2 s.
    SET v_burst = ceiling(v_calls_per_second),
        v_span = CAST(v_burst AS decimal(20, 10)) / v_calls_per_second;
    SELECT count(*), min(b.begun_at) INTO v_recent, v_oldest
    FROM (
        SELECT a.begun_at FROM dialer_attempts a
        WHERE a.trunk = p_trunk AND a.asterisk = p_asterisk AND a.begun_at > p_now - INTERVAL v_span SECOND
        ORDER BY a.begun_at DESC
        LIMIT v_burst
    ) b;
    SET v_room = greatest(0, least(v_max_lines - v_live, v_burst - v_recent));
    -- With these all of the span is used; the next place comes when the oldest call leaves it.
    RETURN json_object(
        'room', v_room,
        'retry_at', IF(v_max_lines > v_live AND v_burst - v_recent <= v_max_lines - v_live,
            coalesce(v_oldest, p_now) + INTERVAL v_span SECOND, NULL));
END
