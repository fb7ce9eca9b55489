-- dialer_number(p_phone_number, p_country) -> number
-- A telephone's number in one form, however it is written: E.164 with +, if the numbering plan of p_country (a row of
-- dialer_countries) explains it, else as written. The first reading that fits: + and anything; the country's
-- international prefix or 00; trunk prefix and a national number; country code and a national number; a national number.
-- (Where there is no trunk prefix, a national number before one with the country code.)
CREATE OR REPLACE FUNCTION dialer_number(p_phone_number varchar(400), p_country varchar(400))
RETURNS varchar(400)
READS SQL DATA
BEGIN
    DECLARE v_code varchar(4);
    DECLARE v_trunk varchar(10);
    DECLARE v_abroad varchar(20);
    DECLARE v_lengths varchar(100);
    DECLARE v_digits int DEFAULT char_length(p_phone_number);
    IF p_country IS NULL OR p_phone_number NOT REGEXP '^[0-9]+\\z' THEN
        RETURN p_phone_number;
    END IF;
    SELECT p.code, p.trunk_prefix, p.international_prefix, p.lengths INTO v_code, v_trunk, v_abroad, v_lengths
    FROM dialer_countries p WHERE p.country = p_country;
    RETURN CASE
        WHEN v_code IS NULL THEN p_phone_number
        -- An international number has seven digits at least, country code included, which does not begin with 0.
        WHEN left(p_phone_number, char_length(v_abroad)) = v_abroad
            AND substr(p_phone_number, char_length(v_abroad) + 1) REGEXP '^[1-9][0-9]{6}'
            THEN concat('+', substr(p_phone_number, char_length(v_abroad) + 1))
        WHEN p_phone_number REGEXP '^00[1-9][0-9]{6}' THEN concat('+', substr(p_phone_number, 3))
        WHEN left(p_phone_number, char_length(v_trunk)) = v_trunk
            AND locate(concat('|', v_digits - char_length(v_trunk), '|'), v_lengths)
            THEN concat('+', v_code, substr(p_phone_number, char_length(v_trunk) + 1))
        WHEN v_trunk IS NULL AND locate(concat('|', v_digits, '|'), v_lengths) THEN concat('+', v_code, p_phone_number)
        WHEN left(p_phone_number, char_length(v_code)) = v_code
            AND locate(concat('|', v_digits - char_length(v_code), '|'), v_lengths) THEN concat('+', p_phone_number)
        WHEN locate(concat('|', v_digits, '|'), v_lengths) THEN concat('+', v_code, p_phone_number)
        ELSE p_phone_number
    END;
END
