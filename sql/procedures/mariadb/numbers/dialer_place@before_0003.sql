-- dialer_place(p_number) -> region|zones, NULL if nothing is known
-- Where a number (E.164 with +) is, by the longest prefix in dialer_prefixes that it begins with: its region, or country,
-- and its zones, either of them perhaps empty. (MariaDB reads the copy dialer_places, which only dialer_screen writes:
-- what a trigger looks up there it locks, until the writer of the case commits.)
CREATE OR REPLACE FUNCTION dialer_place(p_number varchar(400))
RETURNS varchar(4400)
READS SQL DATA
BEGIN
    IF p_number NOT LIKE '+%' THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT concat(p.region, '|', p.zones)
        FROM dialer_places p
        WHERE p.prefix IN (
            substr(p_number, 2, 15), substr(p_number, 2, 14), substr(p_number, 2, 13), substr(p_number, 2, 12),
            substr(p_number, 2, 11), substr(p_number, 2, 10), substr(p_number, 2, 9), substr(p_number, 2, 8),
            substr(p_number, 2, 7), substr(p_number, 2, 6), substr(p_number, 2, 5), substr(p_number, 2, 4),
            substr(p_number, 2, 3), substr(p_number, 2, 2), substr(p_number, 2, 1))
        -- Of beginnings of one number the longest sorts last.
        ORDER BY p.prefix DESC LIMIT 1);
END
