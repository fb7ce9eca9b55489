-- dialer_local(p_zone, p_at) -> local date and time, NULL if p_zone is not a zone
-- What the wall clock shows at p_at in p_zone: an offset or an IANA zone, with its daylight saving time.
CREATE OR REPLACE FUNCTION dialer_local(p_zone varchar(400), p_at datetime(6))
RETURNS datetime(6)
DETERMINISTIC READS SQL DATA
BEGIN
    -- Uses UNIX_TIMESTAMP, not UTC_TIMESTAMP or the session's wall clock, since a DBA's session has a zone of its own.
    DECLARE v_utc datetime(6) DEFAULT TIMESTAMP '1970-01-01 00:00:00' + INTERVAL unix_timestamp(p_at) SECOND;
    DECLARE v_minutes int DEFAULT dialer_offset(p_zone);
    IF v_minutes IS NOT NULL THEN
        RETURN v_utc + INTERVAL v_minutes MINUTE;
    END IF;
    RETURN convert_tz(v_utc, '+00:00', p_zone);
END
