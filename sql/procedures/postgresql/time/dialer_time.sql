-- dialer_time(p_text) -> time of day, NULL if p_text is not one
-- '9:00', '09:00:00', '24:00'. Reads the times of the cases' call windows.
CREATE OR REPLACE FUNCTION dialer_time(p_text varchar)
RETURNS time
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_text ~ '^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$' THEN p_text::time END
$$
