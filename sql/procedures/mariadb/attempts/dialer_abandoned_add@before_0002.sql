-- dialer_abandoned_add(p_number, p_abandoned_at, p_project, p_attempt)
-- A number was abandoned: for the next 72 hours (abandoned_hours in dialer_settings) it is called only with an agent
-- guaranteed, in every project. An entry that lasts longer stays. For dialer_attempt_finish.
CREATE OR REPLACE PROCEDURE dialer_abandoned_add(
    p_number varchar(400),
    p_abandoned_at datetime(6),
    p_project varchar(400),
    p_attempt bigint
)
BEGIN
    DECLARE v_until_at datetime(6);
    SELECT p_abandoned_at + INTERVAL dialer_setting_number('abandoned_hours', 72) * 3600 SECOND INTO v_until_at;
    INSERT INTO dialer_abandoned (phone_number, until_at, project_id, attempt_id)
    VALUES (p_number, v_until_at, p_project, p_attempt)
    ON DUPLICATE KEY UPDATE
        -- MariaDB assigns from left to right, so until_at comes last.
        project_id = IF(dialer_abandoned.until_at < VALUES(until_at), VALUES(project_id), dialer_abandoned.project_id),
        attempt_id = IF(dialer_abandoned.until_at < VALUES(until_at), VALUES(attempt_id), dialer_abandoned.attempt_id),
        until_at = greatest(dialer_abandoned.until_at, VALUES(until_at));
END
