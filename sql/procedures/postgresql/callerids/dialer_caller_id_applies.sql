-- dialer_caller_id_applies(p_region, p_prefix, p_number, p_case_region, p_number_region) -> bool
-- Does a row of dialer_caller_ids with this region and prefix apply to a case with this number, region and number_region?
-- Its region is one of the case's, or the country of one; its prefix begins the number.
CREATE OR REPLACE FUNCTION dialer_caller_id_applies(
    p_region varchar,
    p_prefix varchar,
    p_number varchar,
    p_case_region varchar,
    p_number_region varchar
)
RETURNS bool
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT (p_prefix IS NULL OR starts_with(ltrim(p_number, '+'), p_prefix))
        AND (p_region IS NULL OR coalesce(p_region IN (p_case_region, split_part(p_case_region, '-', 1)), false)
            OR coalesce(p_region IN (p_number_region, split_part(p_number_region, '-', 1)), false))
$$
