-- dialer_numbering_refresh()
-- Take over by which country's plan each project's numbers are read (dialer_params.country, country in dialer_settings) and
-- where numbers are (dialer_prefixes), for the triggers of dialer_clients: into dialer_numbering and dialer_number_ranges.
-- Only dialer_screen calls this. (On MariaDB an open transaction that writes cases holds rows of both; then 1205 says so at
-- once, since nobody waits.)
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
        WITH wanted AS (
            SELECT p.prefix AS begins, coalesce(p.region, p.country, '') AS region, coalesce(p.zones, '') AS zones
            FROM dialer_prefixes p
            UNION ALL
            -- Behind the last digit: from here on the number begins with a shorter prefix, or with none.
            SELECT concat(p.prefix, ':'), coalesce(o.region, o.country, ''), coalesce(o.zones, '')
            FROM (
                SELECT k.prefix, max(s.prefix) AS shorter
                FROM dialer_prefixes k
                LEFT JOIN seq_1_to_15 n ON n.seq < char_length(k.prefix)
                LEFT JOIN dialer_prefixes s ON s.prefix = left(k.prefix, n.seq)
                GROUP BY k.prefix
            ) p
            LEFT JOIN dialer_prefixes o ON o.prefix = p.shorter
        )
        SELECT w.begins, w.region, w.zones
        FROM wanted w
        LEFT JOIN dialer_number_ranges r ON r.begins = w.begins
        WHERE r.begins IS NULL OR r.region <> w.region OR r.zones <> w.zones
        UNION ALL
        SELECT r.begins, NULL, NULL FROM dialer_number_ranges r WHERE r.begins NOT IN (SELECT w.begins FROM wanted w)
    ) DO
        IF p.region IS NULL THEN
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            DELETE FROM dialer_number_ranges WHERE begins = p.begins;
        ELSE
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            INSERT INTO dialer_number_ranges (begins, region, zones) VALUES (p.begins, p.region, p.zones)
            ON DUPLICATE KEY UPDATE region = VALUES(region), zones = VALUES(zones);
        END IF;
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
