-- dialer_abandoned_add(p_number, p_abandoned_at, p_project, p_attempt)
-- A number was abandoned: for the next 72 hours (abandoned_hours in dialer_settings) it is called only with an agent
-- guaranteed, in every project. An entry that lasts longer stays. For dialer_attempt_finish.
CREATE OR REPLACE FUNCTION dialer_abandoned_add(
    p_number varchar,
    p_abandoned_at timestamptz,
    p_project varchar,
    p_attempt bigint
)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    INSERT INTO dialer_abandoned AS b (number, until_at, project_id, attempt_id)
    VALUES (p_number, p_abandoned_at + dialer_setting_number('abandoned_hours', 72) * interval '1 hour',
        p_project, p_attempt)
    ON CONFLICT (number) DO UPDATE
    SET until_at = excluded.until_at, project_id = excluded.project_id, attempt_id = excluded.attempt_id
    WHERE b.until_at < excluded.until_at
$$
