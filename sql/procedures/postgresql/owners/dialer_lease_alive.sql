-- dialer_lease_alive(p_until, p_seconds) -> bool
-- Does a lease of p_seconds that ends at p_until still hold, by the database's clock now? If it ends later than a lease
-- given now would, it is over: the clock has been set back since.
CREATE OR REPLACE FUNCTION dialer_lease_alive(p_until timestamptz, p_seconds numeric)
RETURNS bool
LANGUAGE sql VOLATILE
AS $$
    SELECT coalesce(p_until > clock_timestamp()
        AND p_until <= clock_timestamp() + (p_seconds + 1) * interval '1 second', false)
$$
