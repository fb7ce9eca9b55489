-- dialer_window_next(p_zone, p_start, p_stop, p_at) -> instant
-- When the call window is next open: p_at itself if it is open then; NULL if it never is (dialer_window_open). If the
-- clock is put forward past the start, the window opens when the clock has jumped; if it is put back, the window opens
-- at each of the two starts.
CREATE OR REPLACE FUNCTION dialer_window_next(
    p_zone varchar,
    p_start varchar,
    p_stop varchar,
    p_at timestamptz
)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_start time := CASE dialer_time(p_start) WHEN '24:00' THEN '00:00' ELSE dialer_time(p_start) END;
    v_at timestamptz := p_at;
    v_local timestamp;
    v_wait interval;
    v_low bigint;
    v_high bigint;
    v_middle bigint;
BEGIN
    IF v_start IS NULL OR dialer_time(p_stop) IS NULL THEN
        RETURN NULL;
    END IF;
    -- Somebody's "never"; beyond this nothing can be added to a date.
    IF p_at >= '9999-01-01' OR dialer_window_open(p_zone, p_start, p_stop, p_at) THEN
        RETURN p_at;
    END IF;
    IF dialer_local(p_zone, p_at) IS NULL THEN
        RETURN NULL;
    END IF;
    -- Each round goes to the next start by the wall clock, or only as far as a clock change before it.
    FOR v_round IN 1..10 LOOP
        v_local := dialer_local(p_zone, v_at);
        v_wait := (v_local::date + v_start) - v_local;
        IF v_wait <= interval '0' THEN
            v_wait := v_wait + interval '24 hours';
        END IF;
        IF dialer_local(p_zone, v_at + v_wait) = v_local + v_wait THEN
            RETURN v_at + v_wait;
        END IF;
        v_low := floor(extract(epoch FROM v_at));
        v_high := ceil(extract(epoch FROM v_at + v_wait));
        WHILE v_high - v_low > 1 LOOP
            v_middle := (v_low + v_high) / 2;
            IF dialer_local(p_zone, to_timestamp(v_middle)) - v_local
                = to_timestamp(v_middle) - v_at THEN
                v_low := v_middle;
            ELSE
                v_high := v_middle;
            END IF;
        END LOOP;
        v_at := to_timestamp(v_high);
        EXIT WHEN dialer_window_open(p_zone, p_start, p_stop, v_at);
    END LOOP;
    RETURN v_at;
END
$$
