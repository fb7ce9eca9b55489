-- dialer_offset(p_utc) -> minutes east of UTC, NULL if p_utc is not an offset
-- '+3', '+05:30', '-03.30h', '+03.00h' (hours.minutes), '+5.5h' and '+05.50h' (half an hour: no zone is off
-- by 50 minutes, so decimal quarters cannot be mistaken), 'Z', 'UTC', 'GMT'. From -12:00 to +14:00.
CREATE OR REPLACE FUNCTION dialer_offset(p_utc varchar)
RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    v_part text[];
    v_minutes int;
BEGIN
    IF upper(p_utc) IN ('Z', 'UTC', 'GMT') THEN
        RETURN 0;
    END IF;
    v_part := regexp_match(p_utc, '^([+-])([0-9]{1,2})(?:([.:])([0-9]{1,2}))?h?$');
    IF v_part IS NULL THEN
        RETURN NULL;
    END IF;
    v_minutes := CASE
        WHEN v_part[4] IS NULL OR v_part[4] IN ('00', '15', '30', '45') THEN coalesce(v_part[4]::int, 0)
        WHEN v_part[3] = ':' THEN NULL
        WHEN v_part[4] = '0' THEN 0
        WHEN v_part[4] = '25' THEN 15
        WHEN v_part[4] IN ('5', '50') THEN 30
        WHEN v_part[4] = '75' THEN 45
    END;
    v_minutes := (v_part[2]::int * 60 + v_minutes) * CASE v_part[1] WHEN '-' THEN -1 ELSE 1 END;
    IF v_minutes NOT BETWEEN -720 AND 840 THEN
        RETURN NULL;
    END IF;
    RETURN v_minutes;
END
$$
