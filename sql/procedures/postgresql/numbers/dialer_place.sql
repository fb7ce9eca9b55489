-- dialer_place(p_number) -> region|zones
-- Where a number (E.164 with +) is, by the longest prefix in dialer_prefixes that it begins with: its region, or country,
-- and its zones, either of them perhaps empty. NULL or |: nothing is known. Reads the copy dialer_number_ranges, which only
-- dialer_screen writes. (On MariaDB a trigger locks what it looks up, until the writer of the case commits.)
CREATE OR REPLACE FUNCTION dialer_place(p_number varchar)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (
        SELECT r.region || '|' || r.zones
        FROM dialer_number_ranges r
        WHERE p_number LIKE '+%' AND r.begins <= substr(p_number, 2)
        ORDER BY r.begins DESC LIMIT 1);
END
$$
