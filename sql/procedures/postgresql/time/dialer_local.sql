-- dialer_local(p_zone, p_at) -> local date and time, NULL if p_zone is not a zone
-- What the wall clock shows at p_at in p_zone: an offset or an IANA zone, with its daylight saving time.
CREATE OR REPLACE FUNCTION dialer_local(p_zone varchar, p_at timestamptz)
RETURNS timestamp
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_minutes int := dialer_offset(p_zone);
BEGIN
    IF v_minutes IS NOT NULL THEN
        RETURN (p_at AT TIME ZONE 'UTC') + v_minutes * interval '1 minute';
    END IF;
    BEGIN
        RETURN p_at AT TIME ZONE p_zone;
    EXCEPTION WHEN invalid_parameter_value THEN
        RETURN NULL;
    END;
END
$$
