-- dialer_numbering_refresh()
-- Take over by which country's plan each project's numbers are read (dialer_params.country, country in dialer_settings) and
-- where numbers are (dialer_prefixes), for the triggers of dialer_clients: into dialer_numbering and dialer_number_ranges.
-- Only dialer_screen calls this. (On MariaDB an open transaction that writes cases holds rows of both; then 1205 says so at
-- once, since nobody waits.)
CREATE OR REPLACE FUNCTION dialer_numbering_refresh()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO dialer_numbering AS n (project_id, country)
    SELECT r.project_id, r.country FROM dialer_rules r WHERE r.country IS NOT NULL
    UNION ALL
    SELECT '', nullif(dialer_setting('country'), '')
    ON CONFLICT (project_id) DO UPDATE SET country = excluded.country
    WHERE n.country IS DISTINCT FROM excluded.country;
    DELETE FROM dialer_numbering n
    WHERE n.project_id <> ''
      AND NOT EXISTS (SELECT FROM dialer_rules r WHERE r.project_id = n.project_id AND r.country IS NOT NULL);
    WITH wanted AS MATERIALIZED (
        SELECT p.prefix AS begins, coalesce(p.region, p.country, '') AS region, coalesce(p.zones, '') AS zones
        FROM dialer_prefixes p
        UNION ALL
        -- Behind the last digit: from here on the number begins with a shorter prefix, or with none.
        SELECT p.prefix || ':', coalesce(s.region, s.country, ''), coalesce(s.zones, '')
        FROM dialer_prefixes p
        LEFT JOIN LATERAL (
            SELECT o.region, o.country, o.zones FROM generate_series(1, length(p.prefix) - 1) n (digits)
            JOIN dialer_prefixes o ON o.prefix = left(p.prefix, n.digits)
            ORDER BY n.digits DESC LIMIT 1
        ) s ON true
    ), gone AS (
        DELETE FROM dialer_number_ranges r WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.begins = r.begins)
    )
    INSERT INTO dialer_number_ranges AS r (begins, region, zones)
    SELECT w.begins, w.region, w.zones FROM wanted w
    ON CONFLICT (begins) DO UPDATE SET region = excluded.region, zones = excluded.zones
    WHERE (r.region, r.zones) <> (excluded.region, excluded.zones);
END
$$
