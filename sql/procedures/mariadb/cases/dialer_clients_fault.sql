-- dialer_clients_fault(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at, region, fields) -> sentence
-- The first thing that is wrong with a case, as dialer_refusal says it; NULL: nothing. What dialer_clients_check refuses,
-- and an import before it writes (dialer_import_check).
CREATE OR REPLACE FUNCTION dialer_clients_fault(
    p_id bigint,
    p_case_name varchar(4000),
    p_project_id varchar(400),
    p_phone_number varchar(400),
    p_priority bigint,
    p_utc varchar(400),
    p_used int,
    p_call_back int,
    p_start varchar(400),
    p_stop varchar(400),
    p_period varchar(1000),
    p_deferred_time datetime(6),
    p_deferred_done int,
    p_created datetime(6),
    p_inserted_at datetime(6),
    p_region varchar(400),
    p_fields longtext
)
RETURNS varchar(2000)
READS SQL DATA
BEGIN
    -- A comparison with NULL is never true, and most of these columns may not be NULL.
    IF NOT coalesce(p_phone_number REGEXP '^[+*#]*[0-9][+*#0-9]*\\z' AND char_length(p_phone_number) <= 80, false) THEN
        RETURN dialer_refusal('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        RETURN dialer_refusal('dialer_clients.utc', p_utc, IF(dialer_zone_known('Europe/London') OR p_utc NOT REGEXP '^[A-Za-z]',
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL',
            'this server knows no zone by its name: load them with mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql, or write an offset like +03.00h'));
    END IF;
    IF dialer_time(p_start) IS NULL THEN
        RETURN dialer_refusal('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF dialer_time(p_stop) IS NULL THEN
        RETURN dialer_refusal('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period NOT REGEXP '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?\\z' OR char_length(p_period) > 500 THEN
        RETURN dialer_refusal('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF NOT coalesce(dialer_printable(p_case_name) AND char_length(p_case_name) <= 1000, false) THEN
        RETURN dialer_refusal('dialer_clients.case_name', p_case_name,
            'write up to 1000 characters, without line breaks and other control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_project_id) AND char_length(p_project_id) BETWEEN 1 AND 100, false) THEN
        RETURN dialer_refusal('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(p_id BETWEEN 1 AND 1000000000000000000, false) THEN
        RETURN dialer_refusal('dialer_clients.id', p_id,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF p_priority IS NULL THEN
        RETURN dialer_refusal('dialer_clients.priority', NULL, 'write a whole number, or leave the column out');
    END IF;
    IF NOT coalesce(p_used IN (0, 1), false) THEN
        RETURN dialer_refusal('dialer_clients.used', p_used, 'write true or false, or leave the column out');
    END IF;
    IF NOT coalesce(p_call_back IN (0, 1), false) THEN
        RETURN dialer_refusal('dialer_clients.call_back', p_call_back, 'write true or false, or leave the column out');
    END IF;
    IF NOT coalesce(p_deferred_done IN (0, 1), false) THEN
        RETURN dialer_refusal('dialer_clients.deferred_done', p_deferred_done,
            'write true or false, or leave the column out');
    END IF;
    IF p_region NOT REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z' THEN
        RETURN dialer_refusal('dialer_clients.region', p_region,
            'write a country like US, or a part of it like US-FL (ISO 3166-2), or NULL');
    END IF;
    IF p_fields IS NOT NULL
       AND NOT coalesce(IF(json_valid(p_fields), json_type(p_fields) = 'OBJECT', false) AND char_length(p_fields) <= 10000, false) THEN
        RETURN dialer_refusal('dialer_clients.fields', left(p_fields, 1000),
            'write a JSON object of up to 10000 characters, or NULL');
    END IF;
    -- The range of TIMESTAMP, without the zero date.
    IF NOT coalesce(unix_timestamp(p_created) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        RETURN dialer_refusal('dialer_clients.created', p_created,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    IF p_deferred_time IS NOT NULL
       AND NOT coalesce(unix_timestamp(p_deferred_time) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        RETURN dialer_refusal('dialer_clients.deferred_time', p_deferred_time,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    IF NOT coalesce(unix_timestamp(p_inserted_at) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        RETURN dialer_refusal('dialer_clients.inserted_at', p_inserted_at,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    RETURN NULL;
END
