-- dialer_period(p_call_back, p_call_back_period, p_done) -> minutes
-- How long the next redial of a case's list waits when p_done were made; NULL: there is no list, or no more in it.
CREATE OR REPLACE FUNCTION dialer_period(p_call_back bool, p_call_back_period varchar, p_done int)
RETURNS int
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN CASE WHEN p_call_back
        THEN (string_to_array(nullif(replace(p_call_back_period, ' ', ''), ''), ','))[p_done + 1]::int END;
END
$$
