-- dialer_number(p_phone_number, p_country) -> number
-- A telephone's number in one form, however it is written: E.164 with +, if the numbering plan of p_country (a row of
-- dialer_countries) explains it, else as written. The first reading that fits: + and anything; the country's
-- international prefix or 00; trunk prefix and a national number; country code and a national number; a national number.
-- (Where there is no trunk prefix, a national number before one with the country code.)
CREATE OR REPLACE FUNCTION dialer_number(p_phone_number varchar, p_country varchar)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_plan dialer_countries;
BEGIN
    IF p_country IS NULL OR p_phone_number !~ '^[0-9]+$' THEN
        RETURN p_phone_number;
    END IF;
    SELECT * INTO v_plan FROM dialer_countries p WHERE p.country = p_country;
    RETURN CASE
        WHEN NOT FOUND THEN p_phone_number
        -- An international number has seven digits at least, country code included, which does not begin with 0.
        WHEN starts_with(p_phone_number, v_plan.international_prefix)
            AND substr(p_phone_number, length(v_plan.international_prefix) + 1) ~ '^[1-9][0-9]{6}'
            THEN '+' || substr(p_phone_number, length(v_plan.international_prefix) + 1)
        WHEN p_phone_number ~ '^00[1-9][0-9]{6}' THEN '+' || substr(p_phone_number, 3)
        WHEN starts_with(p_phone_number, v_plan.trunk_prefix)
            AND strpos(v_plan.lengths, '|' || length(p_phone_number) - length(v_plan.trunk_prefix) || '|') > 0
            THEN '+' || v_plan.code || substr(p_phone_number, length(v_plan.trunk_prefix) + 1)
        WHEN v_plan.trunk_prefix IS NULL AND strpos(v_plan.lengths, '|' || length(p_phone_number) || '|') > 0
            THEN '+' || v_plan.code || p_phone_number
        WHEN starts_with(p_phone_number, v_plan.code)
            AND strpos(v_plan.lengths, '|' || length(p_phone_number) - length(v_plan.code) || '|') > 0
            THEN '+' || p_phone_number
        WHEN strpos(v_plan.lengths, '|' || length(p_phone_number) || '|') > 0 THEN '+' || v_plan.code || p_phone_number
        ELSE p_phone_number
    END;
END
$$
