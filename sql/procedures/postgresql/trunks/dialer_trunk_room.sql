-- dialer_trunk_room(p_trunk, p_asterisk, p_now) -> room, retry_at, base_at, gap_seconds
-- How many calls may begin on a trunk now: its free lines, and what calls_per_second permits; retry_at: when to ask for
-- more, if calls per second are the limit. Calls are spaced evenly (a virtual schedule, ITU-T I.371's generic cell rate
-- algorithm): the n-th from now may begin at base_at + n * gap_seconds, n from 0. A turn of the worker takes a while,
-- so calls due within 50 ms may begin at once; a turn that comes late may catch up with up to `burst` calls at once,
-- and a trunk that was idle for a second begins evenly. A failing trunk gets one call at a time to try, at growing
-- intervals. The caller holds the row of dialer_trunk_states.
CREATE OR REPLACE FUNCTION dialer_trunk_room(p_trunk varchar, p_asterisk varchar, p_now timestamptz)
RETURNS TABLE (room int, retry_at timestamptz, base_at timestamptz, gap_seconds numeric)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_trunk dialer_stat_trunk;
    v_next timestamptz;
    v_turn int;
    v_burst int;
    v_lines int;
BEGIN
    SELECT * INTO v_trunk FROM dialer_stat_trunk t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT s.next_at INTO v_next FROM dialer_trunk_states s WHERE s.trunk = p_trunk AND s.asterisk = p_asterisk;
    gap_seconds := 1 / v_trunk.calls_per_second;
    v_turn := ceil(v_trunk.calls_per_second / 20);
    v_burst := greatest(v_trunk.burst, v_turn);
    v_lines := v_trunk.lines_free;
    -- It is never later than one gap from now; if it seems so, the clock was set back, or the gap was longer then.
    base_at := CASE
        WHEN v_next BETWEEN p_now - interval '1 second' AND p_now + gap_seconds * interval '1 second'
            THEN greatest(v_next, p_now - (v_burst - 1) * gap_seconds * interval '1 second')
        ELSE p_now - (v_turn - 1) * gap_seconds * interval '1 second'
    END;
    IF v_trunk.state = 'failing' THEN
        -- Conversations go on meanwhile; only a try still under way keeps the next one from beginning.
        room := CASE WHEN v_trunk.retry_at <= p_now AND v_lines > 0 AND NOT EXISTS (
            SELECT FROM dialer_live l
            JOIN dialer_calls a ON a.id = l.attempt_id
            WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk AND a.answered_at IS NULL) THEN 1 ELSE 0 END;
        retry_at := greatest(v_trunk.retry_at, p_now + interval '1 second');
        RETURN NEXT;
        RETURN;
    END IF;
    room := CASE WHEN base_at > p_now THEN 0
        ELSE floor((extract(epoch FROM p_now - base_at)::numeric + 0.000001) / gap_seconds) + 1 END;
    IF room <= v_lines AND v_lines > 0 THEN
        retry_at := base_at + room * gap_seconds * interval '1 second';
    ELSE
        room := v_lines;
    END IF;
    RETURN NEXT;
END
$$
