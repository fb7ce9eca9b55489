-- dialer_now() -> instant
-- The time that views and routines mean when none is given: the start of the statement by the database's clock, or what
-- the session has set: SET dialer.now = '2026-03-29 02:30:00+03' (PostgreSQL), SET @dialer_now = the same (MariaDB); empty:
-- the clock again.
CREATE OR REPLACE FUNCTION dialer_now()
RETURNS datetime(6)
-- Deterministic within a statement; were it not declared so, no index range would be used with it.
DETERMINISTIC NO SQL
RETURN IF(coalesce(@dialer_now, '') = '', now(6), dialer_read_instant(@dialer_now))
