-- dialer_clock_change(p_zone, p_from, p_to) -> instant, NULL if there is none
-- When the clock in p_zone is changed between p_from and p_to, which are less than a day apart: the first instant after
-- it, to the second.
CREATE OR REPLACE FUNCTION dialer_clock_change(p_zone varchar, p_from timestamptz, p_to timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_local CONSTANT timestamp := dialer_local(p_zone, p_from);
    v_low bigint := floor(extract(epoch FROM p_from));
    v_high bigint := ceil(extract(epoch FROM p_to));
    v_middle bigint;
BEGIN
    IF dialer_local(p_zone, p_to) - v_local = p_to - p_from THEN
        RETURN NULL;
    END IF;
    WHILE v_high - v_low > 1 LOOP
        v_middle := (v_low + v_high) / 2;
        IF dialer_local(p_zone, to_timestamp(v_middle)) - v_local = to_timestamp(v_middle) - p_from THEN
            v_low := v_middle;
        ELSE
            v_high := v_middle;
        END IF;
    END LOOP;
    RETURN to_timestamp(v_high);
END
$$
