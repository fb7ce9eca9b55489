-- Trigger, BEFORE INSERT OR UPDATE ON dialer_trunks: the checks.
CREATE OR REPLACE PROCEDURE dialer_trunks_before_write(
    p_trunk varchar(400),
    p_asterisk varchar(400),
    p_dial_template varchar(400),
    p_max_lines int,
    p_calls_per_second decimal(8, 3)
)
NO SQL
BEGIN
    IF p_trunk REGEXP '[\\x01-\\x1f\\x7f]' OR p_trunk = '' THEN
        CALL dialer_refuse('dialer_trunks.trunk', p_trunk, 'write a name, without control characters');
    END IF;
    IF p_asterisk REGEXP '[\\x01-\\x1f\\x7f]' OR p_asterisk = '' THEN
        CALL dialer_refuse('dialer_trunks.asterisk', p_asterisk, 'write the name of an Asterisk of the settings');
    END IF;
    IF p_max_lines < 0 THEN
        CALL dialer_refuse('dialer_trunks.max_lines', p_max_lines, 'write 0 or more');
    END IF;
    IF NOT p_calls_per_second BETWEEN 0.001 AND 10000 THEN
        CALL dialer_refuse('dialer_trunks.calls_per_second', p_calls_per_second, 'write a number from 0.001 to 10000');
    END IF;
    IF p_dial_template NOT REGEXP '^[A-Za-z0-9_]+/[^,&]*\\z' OR p_dial_template REGEXP '[\\x01-\\x20\\x7f]'
       OR p_dial_template NOT REGEXP '^[^{}]*[{]number[}][^{}]*\\z' THEN
        CALL dialer_refuse('dialer_trunks.dial_template', p_dial_template,
            'write a channel with {number} once, like PJSIP/{number}@carrier or Local/{number}@outbound/n');
    END IF;
END
