-- dialer_clients_check(case_name, project_id, phone_number, utc, start, stop, period)
-- The insert contract of a case: refuses what could never be dialled, see dialer_refuse. Called by the
-- triggers of dialer_clients.
CREATE OR REPLACE PROCEDURE dialer_clients_check(
    p_case_name varchar(1000),
    p_project_id varchar(400),
    p_phone_number varchar(400),
    p_utc varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_period varchar(1000)
)
READS SQL DATA
BEGIN
    -- The triggers have these patterns as well and call this only for a row that does not pass them: a call costs
    -- more than all of them.
    IF p_phone_number NOT REGEXP '^[+*#0-9]+\\z' OR char_length(p_phone_number) > 80 THEN
        CALL dialer_refuse('dialer_clients.phone_number', p_phone_number,
            'write 1 to 80 of the characters 0-9 + * #, without spaces or dashes');
    END IF;
    IF p_utc IS NOT NULL AND p_utc <> '' AND NOT dialer_zone_known(p_utc) THEN
        CALL dialer_refuse('dialer_clients.utc', p_utc, IF(dialer_zone_known('Europe/London') OR p_utc NOT LIKE '%/%',
            'write an offset like +03.00h, +3, +05:30 or Z, an IANA zone like Europe/Moscow, or NULL',
            'this server knows no zone by its name: load them with mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql, or write an offset like +03.00h'));
    END IF;
    IF p_start NOT REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z' THEN
        CALL dialer_refuse('dialer_clients.allowed_start', p_start, 'write a time of day like 09:00:00');
    END IF;
    IF p_stop NOT REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z' THEN
        CALL dialer_refuse('dialer_clients.allowed_stop', p_stop, 'write a time of day like 21:00:00');
    END IF;
    IF p_period NOT REGEXP '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?\\z' OR char_length(p_period) > 500 THEN
        CALL dialer_refuse('dialer_clients.call_back_period', p_period,
            'write the minutes before each redial, separated by commas, like 1,1 or 30,120');
    END IF;
    IF p_case_name REGEXP '[\\x01-\\x1f\\x7f]' THEN
        CALL dialer_refuse('dialer_clients.case_name', p_case_name,
            'leave out line breaks and other control characters');
    END IF;
    IF p_project_id = '' OR char_length(p_project_id) > 100 OR p_project_id REGEXP '[\\x01-\\x1f\\x7f]' THEN
        CALL dialer_refuse('dialer_clients.project_id', p_project_id,
            'write the name of a project, up to 100 characters without control characters');
    END IF;
END
