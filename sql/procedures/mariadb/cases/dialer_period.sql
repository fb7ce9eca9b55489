-- dialer_period(p_call_back, p_call_back_period, p_done) -> minutes
-- How long the next redial of a case's list waits when p_done were made; NULL: there is no list, or no more in it.
CREATE OR REPLACE FUNCTION dialer_period(p_call_back tinyint(1), p_call_back_period varchar(1000), p_done int)
RETURNS int
DETERMINISTIC NO SQL
BEGIN
    DECLARE v_list varchar(1000) DEFAULT nullif(replace(p_call_back_period, ' ', ''), '');
    IF p_call_back AND p_done <= char_length(v_list) - char_length(replace(v_list, ',', '')) THEN
        RETURN CAST(substring_index(substring_index(v_list, ',', p_done + 1), ',', -1) AS signed);
    END IF;
    RETURN NULL;
END
