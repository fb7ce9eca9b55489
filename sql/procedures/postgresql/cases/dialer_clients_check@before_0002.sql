-- dialer_clients_check(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at)
-- The insert contract of a case: refuses what could never be dialled or would mean two things on the two databases, see
-- dialer_refuse. Called by the triggers of dialer_clients.
CREATE OR REPLACE FUNCTION dialer_clients_check(
    p_id int8,
    p_case_name varchar,
    p_project_id varchar,
    p_phone_number varchar,
    p_priority int8,
    p_utc varchar,
    p_used bool,
    p_call_back bool,
    p_start varchar,
    p_stop varchar,
    p_period varchar,
    p_deferred_time timestamptz,
    p_deferred_done bool,
    p_created timestamptz,
    p_inserted_at timestamptz
)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    -- Without bounds like {1,80}: they make a pattern many times larger.
    c_number CONSTANT varchar := '^[+*#]*[0-9][+*#0-9]*$';
    c_period CONSTANT varchar := '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?$';
    c_usual_offset CONSTANT varchar := '^[+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?$';
    v_instant record;
BEGIN
    -- Good rows, by far the most, cost one expression; the rest finds out what is wrong with a bad row.
    IF p_phone_number ~ c_number AND length(p_phone_number) <= 80
       AND dialer_time(p_start) IS NOT NULL
       AND dialer_time(p_stop) IS NOT NULL
       AND (p_period IS NULL OR p_period ~ c_period AND length(p_period) <= 500)
       AND dialer_printable(p_case_name || p_project_id)
       AND length(p_case_name) <= 1000
       AND length(p_project_id) BETWEEN 1 AND 100
       AND (p_utc IS NULL OR p_utc ~ c_usual_offset OR p_utc = '' OR dialer_zone_known(p_utc))
       AND p_id BETWEEN 1 AND 1000000000000000000
       AND p_priority IS NOT NULL AND p_used IS NOT NULL AND p_call_back IS NOT NULL AND p_deferred_done IS NOT NULL
       AND p_created IS NOT NULL AND p_inserted_at IS NOT NULL
       AND least(p_created, p_inserted_at, p_deferred_time) >= '1971-01-01 00:00:00Z'
       AND greatest(p_created, p_inserted_at, p_deferred_time) < '2038-01-19 00:00:00Z' THEN
        RETURN;
    END IF;
    IF NOT coalesce(p_phone_number ~ c_number AND length(p_phone_number) <= 80, false) THEN
        PERFORM dialer_refuse('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        PERFORM dialer_refuse('dialer_clients.utc', p_utc,
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL');
    END IF;
    IF dialer_time(p_start) IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF dialer_time(p_stop) IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period !~ c_period OR length(p_period) > 500 THEN
        PERFORM dialer_refuse('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF NOT coalesce(dialer_printable(p_case_name) AND length(p_case_name) <= 1000, false) THEN
        PERFORM dialer_refuse('dialer_clients.case_name', p_case_name,
            'write up to 1000 characters, without line breaks and other control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_project_id) AND length(p_project_id) BETWEEN 1 AND 100, false) THEN
        PERFORM dialer_refuse('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(p_id BETWEEN 1 AND 1000000000000000000, false) THEN
        PERFORM dialer_refuse('dialer_clients.id', p_id::varchar,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF p_priority IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.priority', NULL, 'write a whole number, or leave the column out');
    END IF;
    IF p_used IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.used', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_call_back IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.call_back', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_deferred_done IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.deferred_done', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_created IS NULL THEN
        PERFORM dialer_refuse('dialer_clients.created', NULL,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    -- MariaDB's TIMESTAMP ends here.
    FOR v_instant IN
        SELECT i.name, i.value FROM (VALUES ('deferred_time', p_deferred_time), ('created', p_created),
            ('inserted_at', p_inserted_at)) i (name, value)
        WHERE i.value < '1971-01-01 00:00:00Z' OR i.value >= '2038-01-19 00:00:00Z'
    LOOP
        PERFORM dialer_refuse('dialer_clients.' || v_instant.name, v_instant.value::varchar,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END LOOP;
END
$$
