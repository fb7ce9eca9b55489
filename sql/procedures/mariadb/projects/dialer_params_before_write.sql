-- Trigger, BEFORE INSERT OR UPDATE ON dialer_params: first the old names, then the checks; and since when
-- what rules go by is as it is.
CREATE OR REPLACE TRIGGER dialer_params_before_write BEFORE INSERT OR UPDATE ON dialer_params
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_params');
    END IF;
    SET NEW.dial_time = coalesce(NEW.call_time, NEW.dial_time), NEW.call_time = NULL;
    IF NOT coalesce(dialer_printable(NEW.project_id) AND char_length(NEW.project_id) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.project_id', NEW.project_id,
            'write the name of the project, up to 100 characters without control characters');
    END IF;
    -- In an INSERT 0 and NULL mean the next id; an assigned id stays.
    IF NOT (NEW.id <=> OLD.id) AND NOT coalesce(NEW.id BETWEEN 1 AND 1000000000000000000, false)
       AND NOT (OLD.id IS NULL AND coalesce(NEW.id, 0) = 0) THEN
        CALL dialer_refuse('dialer_params.id', NEW.id,
            'write a number from 1 to 1000000000000000000, or leave the column out');
    END IF;
    IF NEW.type NOT IN ('progressive', 'predictive', 'autoinforming') THEN
        CALL dialer_refuse('dialer_params.type', NEW.type, 'write progressive, predictive or autoinforming');
    END IF;
    IF NEW.sort NOT REGEXP '^ *[123]:[12]( *, *[123]:[12])* *\\z' OR char_length(NEW.sort) > 100 THEN
        CALL dialer_refuse('dialer_params.sort', NEW.sort,
            'write column:order, 1 priority 2 created 3 utc, 1 DESC 2 ASC, like 1:2 or 3:1,1:2');
    END IF;
    IF NEW.`lines` < 0 THEN
        CALL dialer_refuse('dialer_params.lines', NEW.`lines`, 'write 0 (no cap) or more');
    END IF;
    IF NOT coalesce(NEW.dial_time BETWEEN 1 AND 600000, false) THEN
        CALL dialer_refuse('dialer_params.dial_time', NEW.dial_time, 'write milliseconds to ring, 1000 to 600000; 1 to 999 are read as seconds');
    END IF;
    IF NEW.case_limit < 1 THEN
        CALL dialer_refuse('dialer_params.case_limit', NEW.case_limit, 'write 1 or more, or NULL');
    END IF;
    IF NEW.exten NOT REGEXP '^[A-Za-z0-9_+*#.-]{1,79}\\z' THEN
        CALL dialer_refuse('dialer_params.exten', NEW.exten,
            'write an extension of extensions.conf: letters, digits and _ + * # . -');
    END IF;
    IF NOT coalesce(NEW.context REGEXP '^[A-Za-z0-9_.-]{1,79}\\z', false) THEN
        CALL dialer_refuse('dialer_params.context', NEW.context,
            'write a context of extensions.conf: letters, digits and _ . -');
    END IF;
    IF NOT dialer_printable(NEW.queue) OR NEW.queue LIKE '%,%' OR char_length(NEW.queue) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.queue', NEW.queue,
            'write the name of a queue, up to 100 characters without comma, or NULL');
    END IF;
    IF NOT dialer_printable(NEW.trunk) OR char_length(NEW.trunk) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.trunk', NEW.trunk, 'write the name of a row of dialer_trunks, or NULL');
    END IF;
    IF NOT dialer_printable(NEW.asterisk) OR char_length(NEW.asterisk) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.asterisk', NEW.asterisk,
            'write the name of an Asterisk of the settings, or NULL');
    END IF;
    IF NOT coalesce(NEW.abandon_seconds BETWEEN 0.001 AND 600, false) THEN
        CALL dialer_refuse('dialer_params.abandon_seconds', NEW.abandon_seconds,
            'write seconds, more than 0, at most 600');
    END IF;
    IF NOT coalesce(NEW.abandon_target BETWEEN 0.01 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.abandon_target', NEW.abandon_target,
            'write percent, more than 0, at most 100');
    END IF;
    IF NOT coalesce(NEW.abandon_hours BETWEEN 1 AND 168, false) THEN
        CALL dialer_refuse('dialer_params.abandon_hours', NEW.abandon_hours, 'write hours, 1 to 168');
    END IF;
    IF NOT coalesce(NEW.abandon_days BETWEEN 1 AND 365, false) THEN
        CALL dialer_refuse('dialer_params.abandon_days', NEW.abandon_days, 'write days, 1 to 365');
    END IF;
    IF NOT coalesce(NEW.abandon_action IN ('message', 'queue'), false) THEN
        CALL dialer_refuse('dialer_params.abandon_action', NEW.abandon_action, 'write message or queue');
    END IF;
    IF NOT coalesce(NEW.calls_per_agent BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_params.calls_per_agent', NEW.calls_per_agent, 'write calls, 1 to 100');
    END IF;
    IF NOT coalesce(NEW.predictive_agents >= 1, false) THEN
        CALL dialer_refuse('dialer_params.predictive_agents', NEW.predictive_agents, 'write agents, 1 or more');
    END IF;
    IF NOT NEW.dial_ratio BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.dial_ratio', NEW.dial_ratio,
            'write calls per free agent, 1 to 100, or NULL (the pacing decides)');
    END IF;
    IF NOT coalesce(NEW.amd IN (0, 1), false) THEN
        CALL dialer_refuse('dialer_params.amd', NEW.amd, 'write true or false');
    END IF;
    IF NOT coalesce(NEW.machine_action IN ('hangup', 'message'), false) THEN
        CALL dialer_refuse('dialer_params.machine_action', NEW.machine_action, 'write hangup or message');
    END IF;
    IF NEW.machine_period NOT BETWEEN 1 AND 999999 THEN
        CALL dialer_refuse('dialer_params.machine_period', NEW.machine_period,
            'write minutes, 1 to 999999, or NULL (call_back_period)');
    END IF;
    IF NEW.most_attempts < 1 THEN
        CALL dialer_refuse('dialer_params.most_attempts', NEW.most_attempts, 'write calls, 1 or more, or NULL (no cap)');
    END IF;
    IF NEW.message NOT REGEXP '^[A-Za-z0-9/_-]{1,200}\\z' THEN
        CALL dialer_refuse('dialer_params.message', NEW.message,
            'write the name of a recording without its ending, like custom/reminder: letters, digits and / _ -, or NULL');
    END IF;
    IF NOT (dialer_printable(NEW.message_field) AND NEW.message_field REGEXP '^[^"\\\\]{1,100}\\z') THEN
        CALL dialer_refuse('dialer_params.message_field', NEW.message_field,
            'write the name of a value in dialer_clients.fields, up to 100 characters without " and \\, or NULL');
    END IF;
    IF NEW.key_repeat NOT REGEXP '^[0-9*#]\\z' THEN
        CALL dialer_refuse('dialer_params.key_repeat', NEW.key_repeat, 'write one key, 0-9, * or #, or NULL');
    END IF;
    IF NEW.key_agent NOT REGEXP '^[0-9*#]\\z' THEN
        CALL dialer_refuse('dialer_params.key_agent', NEW.key_agent, 'write one key, 0-9, * or #, or NULL');
    END IF;
    IF NEW.key_opt_out NOT REGEXP '^[0-9*#]\\z' THEN
        CALL dialer_refuse('dialer_params.key_opt_out', NEW.key_opt_out, 'write one key, 0-9, * or #, or NULL');
    END IF;
    IF NEW.key_agent = NEW.key_repeat THEN
        CALL dialer_refuse('dialer_params.key_agent', NEW.key_agent, 'key_repeat is this key already: write another');
    END IF;
    IF NEW.key_opt_out IN (NEW.key_repeat, NEW.key_agent) THEN
        CALL dialer_refuse('dialer_params.key_opt_out', NEW.key_opt_out,
            'key_repeat or key_agent is this key already: write another');
    END IF;
    IF NOT coalesce(NEW.opt_out_scope IN ('all', 'client', 'project'), false) THEN
        CALL dialer_refuse('dialer_params.opt_out_scope', NEW.opt_out_scope, 'write all, client or project');
    END IF;
    IF NEW.opt_out_scope = 'client' AND NEW.client IS NULL THEN
        CALL dialer_refuse('dialer_params.opt_out_scope', NEW.opt_out_scope, 'write the client, too, or all');
    END IF;
    IF NEW.priority IS NULL THEN
        CALL dialer_refuse('dialer_params.priority', NULL, 'write a whole number');
    END IF;
    IF NOT dialer_printable(NEW.caller_id) OR char_length(NEW.caller_id) > 200 THEN
        CALL dialer_refuse('dialer_params.caller_id', NEW.caller_id,
            'write number or Name <number>, up to 200 characters, or NULL');
    END IF;
    IF NEW.zone IS NOT NULL AND NOT dialer_zone_known(NEW.zone) THEN
        CALL dialer_refuse('dialer_params.zone', NEW.zone, IF(dialer_zone_known('Europe/London') OR NEW.zone NOT REGEXP '^[A-Za-z]',
            'write an offset like +03.00h, an IANA zone like Europe/Moscow, or NULL',
            'this server knows no zone by its name: load them with mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql, or write an offset like +03.00h'));
    END IF;
    IF NOT dialer_printable(NEW.client) OR char_length(NEW.client) NOT BETWEEN 1 AND 100 THEN
        CALL dialer_refuse('dialer_params.client', NEW.client,
            'write the name of the client, up to 100 characters, or NULL');
    END IF;
    IF NOT coalesce(NEW.purpose IN ('sales', 'debt', 'research', 'service'), false) THEN
        CALL dialer_refuse('dialer_params.purpose', NEW.purpose, 'write sales, debt, research or service');
    END IF;
    IF NEW.country IS NOT NULL AND NOT EXISTS (SELECT 1 FROM dialer_countries p WHERE p.country = NEW.country) THEN
        CALL dialer_refuse('dialer_params.country', NEW.country,
            'write the two capital letters of a country (ISO 3166-1), like RU, or NULL');
    END IF;
    IF NOT coalesce(NEW.zone_by IN ('project', 'number'), false) THEN
        CALL dialer_refuse('dialer_params.zone_by', NEW.zone_by, 'write project or number');
    END IF;
    IF NEW.most_attempts < 1 THEN
        CALL dialer_refuse('dialer_params.most_attempts', NEW.most_attempts, 'write 1 or more, or NULL');
    END IF;
    IF NEW.scrub_days NOT BETWEEN 1 AND 3650 THEN
        CALL dialer_refuse('dialer_params.scrub_days', NEW.scrub_days, 'write days, 1 to 3650, or NULL (no rule)');
    END IF;
    IF NEW.scrub_blocks IS NULL THEN
        CALL dialer_refuse('dialer_params.scrub_blocks', NULL, 'write true or false');
    END IF;
    IF NOT (NEW.scrubbed_at <=> OLD.scrubbed_at)
        AND NEW.scrubbed_at NOT BETWEEN '1970-01-02 00:00:00' AND sysdate(6) + INTERVAL 1 DAY THEN
        CALL dialer_refuse('dialer_params.scrubbed_at', NEW.scrubbed_at,
            'write the instant at which the list was compared with the registry, which is not ahead, or NULL');
    END IF;
    IF NEW.scoped_at = OLD.scoped_at AND NOT (NEW.client <=> OLD.client AND NEW.purpose <=> OLD.purpose
        AND NEW.zone <=> OLD.zone AND NEW.zone_by <=> OLD.zone_by) THEN
        SET NEW.scoped_at = dialer_now();
    END IF;
END
