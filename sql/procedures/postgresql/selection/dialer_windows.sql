-- dialer_windows(p_project, p_kind, p_now) -> window_key, zone, allowed_start, allowed_stop, is_open, minutes
-- The distinct call windows among the project's waiting cases of a kind (fresh, scheduled, redial; held: those that a rule holds
-- and whose time has come); minutes:
-- the offset from UTC in force at p_now. One index probe per window, however many cases share it, so closed
-- windows with a million cases cost nothing. A window that cannot be read is closed (dialer_window_holds).
CREATE OR REPLACE FUNCTION dialer_windows(p_project varchar, p_kind varchar, p_now timestamptz)
RETURNS TABLE (
    window_key varchar,
    zone varchar,
    allowed_start varchar,
    allowed_stop varchar,
    is_open bool,
    minutes int
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_key varchar COLLATE "C" := '';
    v_project_zone varchar;
    v_local timestamp;
BEGIN
    SELECT r.zone INTO v_project_zone FROM dialer_rules r WHERE r.project_id = p_project;
    v_project_zone := coalesce(v_project_zone, dialer_setting('server_zone'));
    minutes := 0;
    LOOP
        IF p_kind = 'fresh' THEN
            SELECT f.window_key INTO v_key FROM dialer_fresh f
            WHERE f.project_id = p_project AND f.window_key > v_key
            ORDER BY f.window_key LIMIT 1;
        ELSIF p_kind = 'held' THEN
            SELECT h.window_key INTO v_key FROM dialer_held h
            WHERE h.project_id = p_project AND h.held_until <= p_now AND h.window_key > v_key
            ORDER BY h.window_key LIMIT 1;
        ELSE
            SELECT d.window_key INTO v_key FROM dialer_deferred d
            WHERE d.project_id = p_project AND d.deferred_kind = p_kind AND d.window_key > v_key
            ORDER BY d.window_key LIMIT 1;
        END IF;
        EXIT WHEN NOT FOUND;
        window_key := v_key;
        -- Windows of one zone follow each other, so its clock is read once.
        IF zone IS DISTINCT FROM coalesce(nullif(split_part(v_key, '|', 1), ''), v_project_zone) THEN
            zone := coalesce(nullif(split_part(v_key, '|', 1), ''), v_project_zone);
            v_local := dialer_local(zone, p_now);
            minutes := coalesce(extract(epoch FROM v_local - (p_now AT TIME ZONE 'UTC')) / 60, 0);
        END IF;
        allowed_start := split_part(v_key, '|', 2);
        allowed_stop := split_part(v_key, '|', 3);
        is_open := dialer_window_holds(allowed_start, allowed_stop, v_local);
        RETURN NEXT;
    END LOOP;
END
$$
