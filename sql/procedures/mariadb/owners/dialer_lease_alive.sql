-- dialer_lease_alive(p_until, p_seconds) -> bool
-- Does a lease of p_seconds that ends at p_until still hold, by the database's clock now? If it ends later than a lease
-- given now would, it is over: the clock has been set back since.
CREATE OR REPLACE FUNCTION dialer_lease_alive(p_until datetime(6), p_seconds decimal(20, 6))
RETURNS tinyint(1)
NO SQL
RETURN coalesce(p_until > sysdate(6) AND p_until <= sysdate(6) + INTERVAL (p_seconds + 1) SECOND, false)
