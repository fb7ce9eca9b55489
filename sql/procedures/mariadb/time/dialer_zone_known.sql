-- dialer_zone_known(p_utc) -> bool
-- Is it an offset or an IANA zone that this server knows? Names have no digits (except Etc/GMT+3 and its like):
-- PostgreSQL would take 'Europe/Mos5' as a POSIX rule five hours west, 'Etc/GMT+99' as one four days west. Names
-- without a slash are those that IANA lists, except CET, EET, EST, HST, MET, MST and WET: where PostgreSQL takes an
-- abbreviation they mean a fixed offset, which is another hour for half the year.
CREATE OR REPLACE FUNCTION dialer_zone_known(p_utc varchar(400))
RETURNS tinyint(1)
DETERMINISTIC READS SQL DATA
BEGIN
    IF dialer_offset(p_utc) IS NOT NULL THEN
        RETURN true;
    END IF;
    -- The zone tables may contain folders posix and right, with all zones once more.
    IF NOT coalesce(
        p_utc REGEXP
            '^(?i)(?!(posix|right)/)([a-z]+(/[a-z_-]+)+|etc/gmt([+]([0-9]|1[0-2])|-([0-9]|1[0-4])))\\z'
        OR lower(p_utc) IN (
            'cst6cdt', 'cuba', 'egypt', 'eire', 'est5edt', 'gb', 'gb-eire', 'gmt+0', 'gmt-0', 'gmt0', 'greenwich',
            'hongkong', 'iceland', 'iran', 'israel', 'jamaica', 'japan', 'kwajalein', 'libya', 'mst7mdt', 'navajo',
            'nz', 'nz-chat', 'poland', 'portugal', 'prc', 'pst8pdt', 'roc', 'rok', 'singapore', 'turkey', 'uct',
            'universal', 'w-su', 'zulu'), false) THEN
        RETURN false;
    END IF;
    RETURN dialer_local(p_utc, now(6)) IS NOT NULL;
END
