-- dialer_read_instant(p_text) -> instant
-- An instant as a person writes it: '2026-11-24 09:00' by the session's clock, or with its offset, +03, -03:30 or Z,
-- which MariaDB itself would take for seconds. Anything else is refused.
CREATE OR REPLACE FUNCTION dialer_read_instant(p_text varchar(400))
RETURNS datetime(6)
DETERMINISTIC NO SQL
BEGIN
    DECLARE v_offset varchar(10) DEFAULT regexp_substr(p_text, '(?i)(?<=[0-9]) *(z|[+-][0-9]{2}(:?[0-9]{2})?)\\z');
    DECLARE v_local varchar(400) DEFAULT replace(left(p_text, char_length(p_text) - char_length(v_offset)), 'T', ' ');
    DECLARE v_at datetime(6);
    -- 30 February
    DECLARE CONTINUE HANDLER FOR 1292 SET v_at = NULL;
    IF v_local NOT LIKE '%:%' THEN
        -- the day of a date is not an offset
        SET v_local = p_text, v_offset = '';
    END IF;
    IF v_local REGEXP '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( +[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?\\z' THEN
        SET v_at = CAST(v_local AS datetime(6));
        IF v_offset <> '' THEN
            SET v_offset = insert(replace(trim(v_offset), ':', ''), 4, 0, '.'),
                v_at = convert_tz(v_at - INTERVAL dialer_offset(v_offset) MINUTE, '+00:00', @@session.time_zone);
        END IF;
    END IF;
    IF v_at IS NULL AND p_text IS NOT NULL THEN
        CALL dialer_refuse('The instant', p_text,
            'write it like 2026-11-24 09:00:00, in the zone of the session or with an offset like +03:00');
    END IF;
    RETURN v_at;
END
