-- dialer_zones_known(p_zones) -> bool
-- Are they zones joined by &, each of them one that this server knows (dialer_zone_known)?
CREATE OR REPLACE FUNCTION dialer_zones_known(p_zones varchar)
RETURNS bool
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT p_zones <> '' AND bool_and(coalesce(dialer_zone_known(z.zone), false))
    FROM regexp_split_to_table(p_zones, '&') z(zone)
$$
