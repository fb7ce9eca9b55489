-- dialer_instant(p_now) -> instant
-- The time that claim, begin, advance, finish and reap go by: the database's clock at the call (not at the
-- start of the transaction), unless the database is marked virtual_clock and an instant was given.
CREATE OR REPLACE FUNCTION dialer_instant(p_now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_now IS NOT NULL AND dialer_setting('virtual_clock') = 'true' THEN
        RETURN p_now;
    END IF;
    RETURN clock_timestamp();
END
$$
