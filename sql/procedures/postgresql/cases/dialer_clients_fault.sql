-- dialer_clients_fault(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at, region, fields) -> sentence
-- The first thing that is wrong with a case, as dialer_refusal says it; NULL: nothing. What dialer_clients_check refuses,
-- and an import before it writes (dialer_import_check).
CREATE OR REPLACE FUNCTION dialer_clients_fault(
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
    p_inserted_at timestamptz,
    p_region varchar,
    p_fields jsonb
)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    c_number CONSTANT varchar := '^[+*#]*[0-9][+*#0-9]*$';
    c_period CONSTANT varchar := '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?$';
    c_region CONSTANT varchar := '^[A-Z][A-Z](-[A-Z0-9][A-Z0-9]?[A-Z0-9]?)?$';
    v_instant record;
BEGIN
    IF NOT coalesce(p_phone_number ~ c_number AND length(p_phone_number) <= 80, false) THEN
        RETURN dialer_refusal('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        RETURN dialer_refusal('dialer_clients.utc', p_utc,
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL');
    END IF;
    IF dialer_time(p_start) IS NULL THEN
        RETURN dialer_refusal('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF dialer_time(p_stop) IS NULL THEN
        RETURN dialer_refusal('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period !~ c_period OR length(p_period) > 500 THEN
        RETURN dialer_refusal('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF NOT coalesce(dialer_printable(p_case_name) AND length(p_case_name) <= 1000, false) THEN
        RETURN dialer_refusal('dialer_clients.case_name', p_case_name,
            'write up to 1000 characters, without line breaks and other control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_project_id) AND length(p_project_id) BETWEEN 1 AND 100, false) THEN
        RETURN dialer_refusal('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(p_id BETWEEN 1 AND 1000000000000000000, false) THEN
        RETURN dialer_refusal('dialer_clients.id', p_id::varchar,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF p_priority IS NULL THEN
        RETURN dialer_refusal('dialer_clients.priority', NULL, 'write a whole number, or leave the column out');
    END IF;
    IF p_used IS NULL THEN
        RETURN dialer_refusal('dialer_clients.used', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_call_back IS NULL THEN
        RETURN dialer_refusal('dialer_clients.call_back', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_deferred_done IS NULL THEN
        RETURN dialer_refusal('dialer_clients.deferred_done', NULL, 'write true or false, or leave the column out');
    END IF;
    IF p_created IS NULL THEN
        RETURN dialer_refusal('dialer_clients.created', NULL,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    IF p_region !~ c_region THEN
        RETURN dialer_refusal('dialer_clients.region', p_region,
            'write a country like US, or a part of it like US-FL (ISO 3166-2), or NULL');
    END IF;
    IF jsonb_typeof(p_fields) <> 'object' OR length(p_fields::varchar) > 10000 THEN
        RETURN dialer_refusal('dialer_clients.fields', p_fields::varchar,
            'write a JSON object of up to 10000 characters, or NULL');
    END IF;
    -- MariaDB's TIMESTAMP ends here.
    FOR v_instant IN
        SELECT i.name, i.value FROM (VALUES ('deferred_time', p_deferred_time), ('created', p_created),
            ('inserted_at', p_inserted_at)) i (name, value)
        WHERE i.value < '1971-01-01 00:00:00Z' OR i.value >= '2038-01-19 00:00:00Z'
    LOOP
        RETURN dialer_refusal('dialer_clients.' || v_instant.name, v_instant.value::varchar,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END LOOP;
    RETURN NULL;
END
$$
