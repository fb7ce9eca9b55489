-- Trigger, BEFORE INSERT OR UPDATE ON dialer_params: old names first, then the checks.
CREATE OR REPLACE PROCEDURE dialer_params_before_write(
    p_id bigint,
    p_project_id varchar(400),
    p_lines bigint,
    INOUT p_dial_time bigint,
    p_case_limit bigint,
    p_sort varchar(400),
    p_type varchar(400),
    p_exten varchar(400),
    p_context varchar(400),
    p_queue varchar(400),
    p_zone varchar(400),
    p_asterisk varchar(400),
    p_trunk varchar(400),
    p_caller_id varchar(400),
    p_abandon_seconds decimal(6, 3),
    p_abandon_target decimal(8, 2),
    p_abandon_hours int,
    p_abandon_days int,
    p_abandon_action varchar(400),
    p_calls_per_agent decimal(8, 2),
    p_predictive_agents int,
    p_dial_ratio decimal(8, 2),
    p_amd int,
    p_machine_action varchar(400),
    p_machine_period int,
    p_priority int,
    INOUT p_call_time bigint
)
READS SQL DATA
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_params');
    END IF;
    SET p_dial_time = coalesce(p_call_time, p_dial_time), p_call_time = NULL;
    IF NOT coalesce(dialer_printable(p_project_id) AND char_length(p_project_id) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.project_id', p_project_id,
            'write the name of the project, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(p_id BETWEEN 1 AND 1000000000000000000, false) THEN
        CALL dialer_refuse('dialer_params.id', p_id,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF p_type NOT IN ('progressive', 'predictive', 'autoinforming') THEN
        CALL dialer_refuse('dialer_params.type', p_type, 'write progressive, predictive or autoinforming');
    END IF;
    IF p_sort NOT REGEXP '^ *[123]:[12]( *, *[123]:[12])* *\\z' OR char_length(p_sort) > 100 THEN
        CALL dialer_refuse('dialer_params.sort', p_sort,
            'write column:order, 1 priority 2 created 3 utc, 1 DESC 2 ASC, like 1:2 or 3:1,1:2');
    END IF;
    IF p_lines < 0 THEN
        CALL dialer_refuse('dialer_params.lines', p_lines, 'write 0 (no cap) or more');
    END IF;
    IF NOT coalesce(p_dial_time BETWEEN 1 AND 600000, false) THEN
        CALL dialer_refuse('dialer_params.dial_time', p_dial_time, 'write milliseconds to ring, 1000 to 600000; 1 to 999 are read as seconds');
    END IF;
    IF p_case_limit < 1 THEN
        CALL dialer_refuse('dialer_params.case_limit', p_case_limit, 'write 1 or more, or NULL');
    END IF;
    IF p_exten NOT REGEXP '^[A-Za-z0-9_+*#.-]{1,79}\\z' THEN
        CALL dialer_refuse('dialer_params.exten', p_exten,
            'write an extension of extensions.conf: letters, digits and _ + * # . -');
    END IF;
    IF NOT coalesce(p_context REGEXP '^[A-Za-z0-9_.-]{1,79}\\z', false) THEN
        CALL dialer_refuse('dialer_params.context', p_context,
            'write a context of extensions.conf: letters, digits and _ . -');
    END IF;
    IF NOT dialer_printable(p_queue) OR p_queue LIKE '%,%' OR char_length(p_queue) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.queue', p_queue,
            'write the name of a queue, up to 100 characters without comma, or NULL');
    END IF;
    IF NOT dialer_printable(p_trunk) OR char_length(p_trunk) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.trunk', p_trunk, 'write the name of a row of dialer_trunks, or NULL');
    END IF;
    IF NOT dialer_printable(p_asterisk) OR char_length(p_asterisk) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.asterisk', p_asterisk,
            'write the name of an Asterisk of the settings, or NULL');
    END IF;
    IF NOT coalesce(p_abandon_seconds BETWEEN 0.001 AND 600, false) THEN
        CALL dialer_refuse('dialer_params.abandon_seconds', p_abandon_seconds,
            'write seconds, more than 0, at most 600');
    END IF;
    IF NOT coalesce(p_abandon_target BETWEEN 0.01 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.abandon_target', p_abandon_target,
            'write percent, more than 0, at most 100');
    END IF;
    IF NOT coalesce(p_abandon_hours BETWEEN 1 AND 168, false) THEN
        CALL dialer_refuse('dialer_params.abandon_hours', p_abandon_hours, 'write hours, 1 to 168');
    END IF;
    IF NOT coalesce(p_abandon_days BETWEEN 1 AND 365, false) THEN
        CALL dialer_refuse('dialer_params.abandon_days', p_abandon_days, 'write days, 1 to 365');
    END IF;
    IF NOT coalesce(p_abandon_action IN ('message', 'queue'), false) THEN
        CALL dialer_refuse('dialer_params.abandon_action', p_abandon_action, 'write message or queue');
    END IF;
    IF NOT coalesce(p_calls_per_agent BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.calls_per_agent', p_calls_per_agent, 'write calls, 1 to 100');
    END IF;
    IF NOT coalesce(p_predictive_agents >= 1, false) THEN
        CALL dialer_refuse('dialer_params.predictive_agents', p_predictive_agents, 'write agents, 1 or more');
    END IF;
    IF NOT p_dial_ratio BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.dial_ratio', p_dial_ratio,
            'write calls per free agent, 1 to 100, or NULL (the pacing decides)');
    END IF;
    IF NOT coalesce(p_amd IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_params.amd', p_amd, 'write true or false');
    END IF;
    IF NOT coalesce(p_machine_action IN ('hangup', 'message'), false) THEN
        CALL dialer_refuse('dialer_params.machine_action', p_machine_action, 'write hangup or message');
    END IF;
    IF p_machine_period NOT BETWEEN 1 AND 999999 THEN
        CALL dialer_refuse('dialer_params.machine_period', p_machine_period,
            'write minutes, 1 to 999999, or NULL (call_back_period)');
    END IF;
    IF p_priority IS NULL THEN
        CALL dialer_refuse('dialer_params.priority', NULL, 'write a whole number');
    END IF;
    IF NOT dialer_printable(p_caller_id) OR char_length(p_caller_id) > 200 THEN
        CALL dialer_refuse('dialer_params.caller_id', p_caller_id,
            'write number or Name <number>, up to 200 characters, or NULL');
    END IF;
    IF p_zone IS NOT NULL AND NOT dialer_zone_known(p_zone) THEN
        CALL dialer_refuse('dialer_params.zone', p_zone, IF(dialer_zone_known('Europe/London') OR p_zone NOT REGEXP '^[A-Za-z]',
            'write an offset like +03.00h, an IANA zone like Europe/Moscow, or NULL',
            'this server knows no zone by its name: load them with mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql, or write an offset like +03.00h'));
    END IF;
END
