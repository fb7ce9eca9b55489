-- dialer_numbering_refresh()
-- Take over by which country's plan each project's numbers are read (dialer_params.country, country in
-- dialer_settings), for the triggers of dialer_clients. Only dialer_screen calls this. (MariaDB: also where numbers are,
-- in dialer_places. An open transaction that writes cases holds rows of both; then 1205 says so at once, since nobody
-- waits.)
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
END
$$
