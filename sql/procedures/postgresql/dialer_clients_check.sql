-- dialer_clients_check(case_name, project_id, phone_number, utc, start, stop, period)
-- The insert contract of a case: refuses what could never be dialled, see dialer_refuse. Called by the
-- triggers of dialer_clients.
CREATE OR REPLACE FUNCTION dialer_clients_check(
    p_case_name varchar,
    p_project_id varchar,
    p_phone_number varchar,
    p_utc varchar,
    p_start varchar,
    p_stop varchar,
    p_period varchar
)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    -- Without bounds like {1,80}: those make a pattern many times its size.
    c_number CONSTANT varchar := '^[+*#0-9]+$';
    c_time CONSTANT varchar := '^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$';
    c_period CONSTANT varchar := '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?$';
    c_control CONSTANT varchar := '[\x01-\x1f\x7f]';
    c_usual_offset CONSTANT varchar := '^[+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?$';
BEGIN
    -- Good rows, by far the most, pay for one expression; the rest finds out what is wrong with a bad one.
    IF p_phone_number ~ c_number AND length(p_phone_number) <= 80
       AND p_start ~ c_time
       AND p_stop ~ c_time
       AND (p_period IS NULL OR p_period ~ c_period AND length(p_period) <= 500)
       AND p_case_name !~ c_control
       AND p_project_id !~ c_control
       AND length(p_project_id) BETWEEN 1 AND 100
       AND (p_utc IS NULL OR p_utc ~ c_usual_offset OR p_utc = '' OR dialer_zone_known(p_utc)) THEN
        RETURN;
    END IF;
    IF p_phone_number !~ c_number OR length(p_phone_number) > 80 THEN
        PERFORM dialer_refuse('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, without spaces or dashes');
    END IF;
    IF p_utc IS NOT NULL AND p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        PERFORM dialer_refuse('dialer_clients.utc', p_utc,
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL');
    END IF;
    IF p_start !~ c_time THEN
        PERFORM dialer_refuse('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF p_stop !~ c_time THEN
        PERFORM dialer_refuse('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period !~ c_period OR length(p_period) > 500 THEN
        PERFORM dialer_refuse('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF p_case_name ~ c_control THEN
        PERFORM dialer_refuse('dialer_clients.case_name', p_case_name,
            'leave out line breaks and other control characters');
    END IF;
    IF p_project_id = '' OR length(p_project_id) > 100 OR p_project_id ~ c_control THEN
        PERFORM dialer_refuse('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
END
$$
