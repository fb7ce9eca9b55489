-- dialer_zone_known(p_utc) -> bool
-- Is it an offset or an IANA zone that this server knows? Names need a slash and no digits (but Etc/GMT+3):
-- PostgreSQL would take 'Europe/Mos5' as a POSIX rule five hours west, 'Etc/GMT+99' as one four days west.
CREATE OR REPLACE FUNCTION dialer_zone_known(p_utc varchar)
RETURNS bool
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF dialer_offset(p_utc) IS NOT NULL THEN
        RETURN true;
    END IF;
    IF p_utc IS NULL OR p_utc !~ '^([A-Za-z]+(/[A-Za-z_-]+)+|Etc/GMT([+]([0-9]|1[0-2])|-([0-9]|1[0-4])))$' THEN
        RETURN false;
    END IF;
    PERFORM statement_timestamp() AT TIME ZONE p_utc;
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$
