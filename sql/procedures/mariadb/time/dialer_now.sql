-- dialer_now() -> instant
-- The time that views and routines use if none is given: the start of the statement by the database's clock, or what
-- the session has set: SET dialer.now = '2026-03-29 02:30:00+03' (PostgreSQL), SET @dialer_now = the same (MariaDB);
-- empty means the clock again.
CREATE OR REPLACE FUNCTION dialer_now()
RETURNS datetime(6)
-- Deterministic within a statement; unless declared so, it could not be used for an index range.
DETERMINISTIC NO SQL
RETURN IF(coalesce(@dialer_now, '') = '', now(6), dialer_read_instant(@dialer_now))
