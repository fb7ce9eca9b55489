-- dialer_now() -> instant
-- The time that views and routines use if none is given: the start of the statement by the database's clock, or what
-- the session has set: SET dialer.now = '2026-03-29 02:30:00+03' (PostgreSQL), SET @dialer_now = the same (MariaDB);
-- empty means the clock again.
CREATE OR REPLACE FUNCTION dialer_now()
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT coalesce(nullif(current_setting('dialer.now', true), '')::timestamptz, statement_timestamp())
$$
