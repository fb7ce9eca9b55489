-- dialer_caller_id_applies(p_region, p_prefix, p_number, p_case_region, p_number_region) -> bool
-- Does a row of dialer_caller_ids with this region and prefix apply to a case with this number, region and number_region?
-- Its region is one of the case's, or the country of one; its prefix begins the number.
CREATE OR REPLACE FUNCTION dialer_caller_id_applies(
    p_region varchar(400),
    p_prefix varchar(400),
    p_number varchar(400),
    p_case_region varchar(400),
    p_number_region varchar(400)
)
RETURNS tinyint(1)
DETERMINISTIC NO SQL
RETURN (p_prefix IS NULL OR left(trim(LEADING '+' FROM p_number), char_length(p_prefix)) = p_prefix)
    AND (p_region IS NULL OR coalesce(p_region IN (p_case_region, substring_index(p_case_region, '-', 1)), false)
        OR coalesce(p_region IN (p_number_region, substring_index(p_number_region, '-', 1)), false))
