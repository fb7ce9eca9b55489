-- dialer_numbering_refresh()
-- Take over by which country's plan each project's numbers are read (dialer_params.country, country in
-- dialer_settings), for the triggers of dialer_clients. Only dialer_screen calls this. (MariaDB: also where numbers are,
-- in dialer_places. An open transaction that writes cases holds rows of both; then 1205 says so at once, since nobody
-- waits.)
CREATE OR REPLACE PROCEDURE dialer_numbering_refresh()
BEGIN
    FOR p IN (
        SELECT k.project_id, k.country
        FROM (
            SELECT r.project_id, r.country FROM dialer_rules r WHERE r.country IS NOT NULL
            UNION ALL
            SELECT '', nullif(dialer_setting('country'), '')
        ) k
        LEFT JOIN dialer_numbering n ON n.project_id = k.project_id
        WHERE n.project_id IS NULL OR NOT n.country <=> k.country
    ) DO
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        INSERT INTO dialer_numbering (project_id, country) VALUES (p.project_id, p.country)
        ON DUPLICATE KEY UPDATE country = VALUES(country);
    END FOR;
    FOR p IN (
        SELECT k.prefix, coalesce(k.region, k.country, '') AS region, coalesce(k.zones, '') AS zones
        FROM dialer_prefixes k
        LEFT JOIN dialer_places n ON n.prefix = k.prefix
        WHERE n.prefix IS NULL OR n.region <> coalesce(k.region, k.country, '') OR n.zones <> coalesce(k.zones, '')
    ) DO
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        INSERT INTO dialer_places (prefix, region, zones) VALUES (p.prefix, p.region, p.zones)
        ON DUPLICATE KEY UPDATE region = VALUES(region), zones = VALUES(zones);
    END FOR;
    FOR p IN (
        SELECT n.prefix FROM dialer_places n
        LEFT JOIN dialer_prefixes k ON k.prefix = n.prefix
        WHERE k.prefix IS NULL
    ) DO
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        DELETE FROM dialer_places WHERE prefix = p.prefix;
    END FOR;
    FOR p IN (
        SELECT n.project_id FROM dialer_numbering n
        LEFT JOIN dialer_rules r ON r.project_id = n.project_id AND r.country IS NOT NULL
        WHERE n.project_id <> '' AND r.project_id IS NULL
    ) DO
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        DELETE FROM dialer_numbering WHERE project_id = p.project_id;
    END FOR;
END
