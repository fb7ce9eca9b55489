-- dialer_trunk_room(p_trunk, p_asterisk, p_now) -> room, retry_at
-- How many calls may begin on a trunk now: its free lines, and what calls_per_second leaves of the current
-- second; retry_at: when to ask for more, if it is the calls per second that bound them. A failing trunk gets
-- one call at a time to try, at growing intervals. The caller holds the trunk's row.
CREATE OR REPLACE FUNCTION dialer_trunk_room(p_trunk varchar, p_asterisk varchar, p_now timestamptz)
RETURNS TABLE (room int, retry_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_trunk dialer_trunks;
    v_live int;
    v_burst int;
    v_span interval;
    v_recent timestamptz[];
    v_left int;
BEGIN
    SELECT * INTO v_trunk FROM dialer_trunks t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT count(*) INTO v_live FROM dialer_live l WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk;
    IF v_trunk.state = 'failing' THEN
        -- Conversations go on meanwhile; only a try that is still out stands in the way of the next.
        room := CASE WHEN v_trunk.retry_at <= p_now AND v_live < v_trunk.max_lines AND NOT EXISTS (
            SELECT FROM dialer_live l
            JOIN dialer_attempts a ON a.id = l.attempt_id
            WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk AND a.answered_at IS NULL) THEN 1 ELSE 0 END;
        retry_at := greatest(v_trunk.retry_at, p_now + interval '1 second');
        RETURN NEXT;
        RETURN;
    END IF;
    -- A whole number of calls in the shortest span of a second or more: 2.5 a second is 3 in 1.2 s.
    v_burst := ceil(v_trunk.calls_per_second);
    v_span := v_burst / v_trunk.calls_per_second * interval '1 second';
    SELECT array_agg(b.begun_at ORDER BY b.begun_at DESC) INTO v_recent
    FROM (
        SELECT a.begun_at FROM dialer_attempts a
        WHERE a.trunk = p_trunk AND a.asterisk = p_asterisk AND a.begun_at > p_now - v_span
        ORDER BY a.begun_at DESC
        LIMIT v_burst
    ) b;
    v_left := v_burst - coalesce(cardinality(v_recent), 0);
    room := greatest(0, least(v_trunk.max_lines - v_live, v_left));
    -- With these all of the span is used; the next place comes when the oldest call leaves it.
    retry_at := CASE WHEN v_trunk.max_lines > v_live AND v_left <= v_trunk.max_lines - v_live THEN
        coalesce(v_recent[cardinality(v_recent)], p_now) + v_span END;
    RETURN NEXT;
END
$$
