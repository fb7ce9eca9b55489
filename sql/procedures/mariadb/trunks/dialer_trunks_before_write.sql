-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks.
CREATE OR REPLACE PROCEDURE dialer_trunks_before_write(
    p_trunk varchar(400),
    p_asterisk varchar(400),
    p_dial_template varchar(400),
    p_max_lines int,
    p_calls_per_second decimal(8, 3),
    p_burst int
)
NO SQL
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_trunks');
    END IF;
    IF NOT coalesce(dialer_printable(p_trunk) AND char_length(p_trunk) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_trunks.trunk', p_trunk,
            'write a name, up to 100 characters without control characters');
    END IF;
    IF NOT coalesce(dialer_printable(p_asterisk) AND char_length(p_asterisk) BETWEEN 1 AND 100, false) THEN
        CALL dialer_refuse('dialer_trunks.asterisk', p_asterisk, 'write the name of an Asterisk of the settings');
    END IF;
    IF NOT coalesce(p_max_lines >= 0, false) THEN
        CALL dialer_refuse('dialer_trunks.max_lines', p_max_lines, 'write 0 or more');
    END IF;
    IF NOT coalesce(p_calls_per_second BETWEEN 0.001 AND 10000, false) THEN
        CALL dialer_refuse('dialer_trunks.calls_per_second', p_calls_per_second, 'write a number from 0.001 to 10000');
    END IF;
    IF NOT coalesce(p_burst BETWEEN 1 AND 1000, false) THEN
        CALL dialer_refuse('dialer_trunks.burst', p_burst, 'write calls, 1 to 1000');
    END IF;
    -- A channel has at most 255 bytes in AMI, 80 of them the number's.
    IF NOT coalesce(p_dial_template REGEXP '^[A-Za-z0-9_]+/[^,&]*\\z' AND dialer_printable(p_dial_template)
        AND p_dial_template NOT LIKE '% %' AND p_dial_template REGEXP '^[^{}]*[{]number[}][^{}]*\\z'
        AND octet_length(p_dial_template) <= 180, false) THEN
        CALL dialer_refuse('dialer_trunks.dial_template', p_dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n, up to 180 bytes');
    END IF;
END
