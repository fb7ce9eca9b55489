-- dialer_opening(p_project, p_utc, p_start, p_stop, p_zones, p_region, p_number_region, p_at)
--     -> is_open, minutes, changes_at, detail
-- Whether cases of such a call window may be called at p_at as far as hours go: the cases' own, and those of
-- dialer_hours that apply (project, client, purpose, region; of rows with the same scope and preset one must be open).
-- If several zones come into question it must be open in each of them. minutes: the offset of the first one from UTC.
-- changes_at: not before then will the answer be another one; at most a day ahead. detail: what is closed. In an unknown
-- zone it is open only if nothing is ever closed.
CREATE OR REPLACE FUNCTION dialer_opening(
    p_project varchar,
    p_utc varchar,
    p_start varchar,
    p_stop varchar,
    p_zones varchar,
    p_region varchar,
    p_number_region varchar,
    p_at timestamptz
)
RETURNS TABLE (is_open bool, minutes int, changes_at timestamptz, detail varchar)
LANGUAGE plpgsql STABLE ROWS 1
SET search_path FROM CURRENT
AS $$
DECLARE
    v_regions CONSTANT varchar[] := ARRAY[p_region, left(p_region, 2), p_number_region, left(p_number_region, 2)];
    v_hours dialer_hours[];
    v_zone varchar;
    v_local timestamp;
    v_holiday varchar;
    v_day int;
    v_closed varchar;
    v_times time[];
    v_change timestamptz;
BEGIN
    is_open := true;
    changes_at := p_at + interval '1 day';
    v_hours := ARRAY(
        SELECT h FROM dialer_hours h
        LEFT JOIN dialer_rules r ON r.project_id = p_project
        WHERE (h.project_id IS NULL OR h.project_id = p_project)
          AND (h.client IS NULL OR h.client = r.client)
          AND (h.purpose IS NULL OR h.purpose = r.purpose)
          AND (h.region IS NULL OR h.region = ANY (v_regions)));
    v_times := ARRAY[dialer_time(p_start), dialer_time(p_stop), '24:00'] || ARRAY(
        SELECT unnest(ARRAY[h.starts, h.stops])::time FROM unnest(v_hours) h);
    FOREACH v_zone IN ARRAY string_to_array(dialer_zone_of(p_project, p_utc, p_zones), '&') LOOP
        v_local := dialer_local(v_zone, p_at);
        minutes := coalesce(minutes, extract(epoch FROM v_local - (p_at AT TIME ZONE 'UTC')) / 60);
        v_closed := NULL;
        IF NOT dialer_window_holds(p_start, p_stop, v_local) THEN
            v_closed := p_start || ' to ' || p_stop || ' in ' || v_zone;
        ELSIF cardinality(v_hours) > 0 THEN
            SELECT max(d.name) INTO v_holiday
            FROM dialer_holidays d WHERE d.region = ANY (v_regions) AND d.day = v_local::date;
            v_day := CASE WHEN v_holiday IS NULL THEN extract(isodow FROM v_local) ELSE 8 END;
            SELECT 'hours of ' || coalesce(max(h.preset), 'dialer_hours ' || min(h.id)) || ' in ' || v_zone
                || coalesce(' (' || nullif(v_holiday, '') || ')', '')
            INTO v_closed
            FROM unnest(v_hours) h
            GROUP BY h.project_id, h.client, h.region, h.purpose, h.preset
            HAVING NOT coalesce(bool_or(substr(h.days, v_day, 1) = '1' AND v_local::time >= h.starts::time
                AND v_local::time < h.stops::time), false)
            ORDER BY h.preset NULLS FIRST, min(h.id)
            LIMIT 1;
        END IF;
        is_open := is_open AND v_closed IS NULL;
        detail := coalesce(detail, v_closed);
        CONTINUE WHEN v_local IS NULL OR p_at >= '9999-01-01';
        SELECT p_at + (min(e.at) - v_local::time) INTO v_change
        FROM unnest(v_times) e (at) WHERE e.at > v_local::time;
        -- Whatever the clock there does on the way.
        changes_at := least(changes_at, dialer_clock_change(v_zone, p_at, v_change), v_change);
    END LOOP;
    minutes := coalesce(minutes, 0);
    RETURN NEXT;
END
$$
