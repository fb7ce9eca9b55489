-- dialer_zone_known(p_utc) -> bool
-- Is it an offset or an IANA zone that this server knows? Names need a slash and no digits (but Etc/GMT+3):
-- PostgreSQL would take 'Europe/Mos5' as a POSIX rule five hours west, 'Etc/GMT+99' as one four days west.
CREATE OR REPLACE FUNCTION dialer_zone_known(p_utc varchar(400))
RETURNS tinyint(1)
DETERMINISTIC READS SQL DATA
BEGIN
    IF dialer_offset(p_utc) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- The zone tables hold the folders posix and right of the machine that they were loaded from as well.
    IF p_utc IS NULL
       OR p_utc NOT REGEXP
        '^(?!(?i:posix|right)/)([A-Za-z]+(/[A-Za-z_-]+)+|Etc/GMT([+]([0-9]|1[0-2])|-([0-9]|1[0-4])))\\z' THEN
        RETURN false;
    END IF;
    RETURN convert_tz('2026-01-01 00:00:00', '+00:00', p_utc) IS NOT NULL;
END
