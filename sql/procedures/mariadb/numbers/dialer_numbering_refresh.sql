-- dialer_numbering_refresh()
-- Take over by which country's plan each project's numbers are read (dialer_params.country, country in
-- dialer_settings), for the triggers of dialer_clients. Only dialer_screen calls this. (MariaDB: an open
-- transaction that writes cases holds the rows of their projects; then 1205 says so at once, since nobody waits.)
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
        SELECT n.project_id FROM dialer_numbering n
        LEFT JOIN dialer_rules r ON r.project_id = n.project_id AND r.country IS NOT NULL
        WHERE n.project_id <> '' AND r.project_id IS NULL
    ) DO
        SET STATEMENT innodb_lock_wait_timeout = 0 FOR
        DELETE FROM dialer_numbering WHERE project_id = p.project_id;
    END FOR;
END
