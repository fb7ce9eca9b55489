-- dialer_clients_check(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at)
-- The insert contract of a case: refuses what could never be dialled or would mean two things on the two databases, see
-- dialer_refuse. Called by the triggers of dialer_clients.
CREATE OR REPLACE PROCEDURE dialer_clients_check(
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
    p_inserted_at datetime(6)
)
READS SQL DATA
BEGIN
    -- The triggers have these patterns, too, and call this only for a row that fails one: a call costs more than all of
    -- them. A comparison with NULL is never true, and none of these columns may be NULL.
    IF NOT coalesce(p_phone_number REGEXP '^[+*#]*[0-9][+*#0-9]*\\z' AND char_length(p_phone_number) <= 80, false) THEN
        CALL dialer_refuse('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, a digit among them, without spaces or dashes');
    END IF;
    IF p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        CALL dialer_refuse('dialer_clients.utc', p_utc, IF(dialer_zone_known('Europe/London') OR p_utc NOT REGEXP '^[A-Za-z]',
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL',
            'this server knows no zone by its name: load them with mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql, or write an offset like +03.00h'));
    END IF;
    IF dialer_time(p_start) IS NULL THEN
        CALL dialer_refuse('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF dialer_time(p_stop) IS NULL THEN
        CALL dialer_refuse('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period NOT REGEXP '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?\\z' OR char_length(p_period) > 500 THEN
        CALL dialer_refuse('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF NOT coalesce(dialer_printable(p_case_name) AND char_length(p_case_name) <= 1000, false) THEN
        CALL dialer_refuse('dialer_clients.case_name', p_case_name,
            'write up to 1000 characters, without line breaks and other control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_project_id) AND char_length(p_project_id) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(p_id BETWEEN 1 AND 1000000000000000000, false) THEN
        CALL dialer_refuse('dialer_clients.id', p_id,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF p_priority IS NULL THEN
        CALL dialer_refuse('dialer_clients.priority', NULL, 'write a whole number, or leave the column out');
    END IF;
    IF NOT coalesce(p_used IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_clients.used', p_used, 'write true or false, or leave the column out');
    END IF;
    IF NOT coalesce(p_call_back IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_clients.call_back', p_call_back, 'write true or false, or leave the column out');
    END IF;
    IF NOT coalesce(p_deferred_done IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_clients.deferred_done', p_deferred_done,
            'write true or false, or leave the column out');
    END IF;
    -- The range of TIMESTAMP, without the zero date.
    IF NOT coalesce(unix_timestamp(p_created) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        CALL dialer_refuse('dialer_clients.created', p_created,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    IF p_deferred_time IS NOT NULL
       AND NOT coalesce(unix_timestamp(p_deferred_time) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        CALL dialer_refuse('dialer_clients.deferred_time', p_deferred_time,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
    IF NOT coalesce(unix_timestamp(p_inserted_at) BETWEEN 31536000 AND 2147471999.999999, false) THEN
        CALL dialer_refuse('dialer_clients.inserted_at', p_inserted_at,
            'write an instant from 1971 to 2038-01-18, or leave the column out');
    END IF;
END
