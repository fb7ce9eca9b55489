-- dialer_offset(p_utc) -> minutes east of UTC, NULL if p_utc is not an offset
-- '+3', '+05:30', '-03.30h', '+03.00h' (hours.minutes), '+5.5h' and '+05.50h' (half an hour: no zone is off
-- by 50 minutes, so decimal quarters cannot be mistaken), 'Z', 'UTC', 'GMT'. From -12:00 to +14:00.
CREATE OR REPLACE FUNCTION dialer_offset(p_utc varchar(400))
RETURNS int
DETERMINISTIC NO SQL
BEGIN
    DECLARE v_size varchar(400);
    DECLARE v_hours varchar(400);
    DECLARE v_mark varchar(1);
    DECLARE v_part varchar(400);
    DECLARE v_minutes int;
    IF upper(p_utc) IN ('Z', 'UTC', 'GMT') THEN
        RETURN 0;
    END IF;
    IF p_utc IS NULL OR p_utc NOT REGEXP '^[+-][0-9]{1,2}([.:][0-9]{1,2})?h?\\z' THEN
        RETURN NULL;
    END IF;
    -- '3', '5:30', '03.00'; no regular expressions from here on, as they would cost time for each window looked at.
    SET v_size = trim(TRAILING 'h' FROM substr(p_utc, 2)),
        v_hours = substring_index(replace(v_size, ':', '.'), '.', 1),
        v_mark = substr(v_size, char_length(v_hours) + 1, 1),
        v_part = substr(v_size, char_length(v_hours) + 2),
        v_minutes = CASE
            WHEN v_mark = '' THEN 0
            WHEN v_part IN ('00', '15', '30', '45') THEN CAST(v_part AS signed)
            WHEN v_mark = ':' THEN NULL
            WHEN v_part = '0' THEN 0
            WHEN v_part = '25' THEN 15
            WHEN v_part IN ('5', '50') THEN 30
            WHEN v_part = '75' THEN 45
        END,
        v_minutes = (CAST(v_hours AS signed) * 60 + v_minutes) * IF(left(p_utc, 1) = '-', -1, 1);
    IF v_minutes NOT BETWEEN -720 AND 840 THEN
        RETURN NULL;
    END IF;
    RETURN v_minutes;
END
