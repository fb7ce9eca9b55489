-- dialer_time(p_text) -> time of day, NULL if p_text is not one
-- '9:00', '09:00:00', '24:00'. Reads the times of the cases' call windows.
CREATE OR REPLACE FUNCTION dialer_time(p_text varchar(400))
RETURNS time
DETERMINISTIC NO SQL
RETURN IF(p_text REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z', CAST(p_text AS time), NULL)
