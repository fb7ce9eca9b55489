-- dialer_offset(p_utc) -> minutes east of UTC, NULL if p_utc is not an offset
-- '+3', '+05:30', '-03.30h', '+03.00h' (hours.minutes), '+5.5h' and '+05.50h' (half an hour: no zone is off
-- by 50 minutes, so decimal quarters cannot be mistaken), 'Z', 'UTC', 'GMT'. From -12:00 to +14:00.
CREATE OR REPLACE FUNCTION dialer_offset(p_utc varchar)
RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    v_body text;
    v_point int;
    v_part text;
    v_minutes int;
BEGIN
    IF upper(p_utc) IN ('Z', 'UTC', 'GMT') THEN
        RETURN 0;
    END IF;
    -- regexp_match would cost twenty times as much.
    IF p_utc IS NULL OR p_utc !~ '^[+-][0-9]{1,2}([.:][0-9]{1,2})?h?$' THEN
        RETURN NULL;
    END IF;
    v_body := rtrim(substr(p_utc, 2), 'h');
    v_point := strpos(translate(v_body, ':', '.'), '.');
    v_part := CASE WHEN v_point > 0 THEN substr(v_body, v_point + 1) ELSE '00' END;
    v_minutes := CASE
        WHEN v_part IN ('00', '15', '30', '45') THEN v_part::int
        WHEN strpos(v_body, ':') > 0 THEN NULL
        WHEN v_part = '0' THEN 0
        WHEN v_part = '25' THEN 15
        WHEN v_part IN ('5', '50') THEN 30
        WHEN v_part = '75' THEN 45
    END;
    v_minutes := CASE left(p_utc, 1) WHEN '-' THEN -1 ELSE 1 END
        * (CASE WHEN v_point > 0 THEN left(v_body, v_point - 1) ELSE v_body END::int * 60 + v_minutes);
    IF v_minutes NOT BETWEEN -720 AND 840 THEN
        RETURN NULL;
    END IF;
    RETURN v_minutes;
END
$$
