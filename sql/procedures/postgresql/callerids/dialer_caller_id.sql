-- dialer_caller_id(rows, p_number, p_region, p_number_region) -> place, retry_at, is_project
-- Which caller ID a call shows. rows: the project's rows (dialer_caller_id_rows), and for each, from
-- dialer_caller_id_room, its uses, its latest attempt, and when it is free again if it is used up. Then the case's
-- number, region and number_region. A row applies if its region is one of the case's or the country of one, and its
-- prefix begins the number. Of those that apply and are not used up, place is that of
--   1. the longest prefix;
--   2. the nearest area code: as many digits of the caller ID's own number as equal those of the case's number, counted
--      behind the country code, at least two and at most four; in the North American plan the three of the area code, or
--      none. (Further digits are not the area's; they would send all calls of an exchange through one caller ID.)
--   3. the fewest uses in 24 hours;
--   4. the longest time not used.
-- place NULL and retry_at: all that apply are used up, and the first is free then; is_project: so it is for every case of
-- the project. Both NULL: no row applies.
CREATE OR REPLACE FUNCTION dialer_caller_id(
    -- The rows, and for each what dialer_caller_id_room says of its number.
    p_rows dialer_caller_id_rows[],
    p_uses int[],
    p_last bigint[],
    p_free timestamptz[],
    p_number varchar,
    p_region varchar,
    p_number_region varchar
)
RETURNS TABLE (place int, retry_at timestamptz, is_project bool)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_digits varchar := ltrim(p_number, '+');
    v_code int := (SELECT max(length(p.code)) FROM dialer_countries p
        WHERE p.code IN (left(v_digits, 1), left(v_digits, 2), left(v_digits, 3)));
BEGIN
    SELECT r.place::int INTO place
    FROM unnest(p_rows) WITH ORDINALITY r (project_id, id, caller_id, number, region, prefix, most_per_day, place)
    WHERE p_free[r.place::int] IS NULL
      AND dialer_caller_id_applies(r.region, r.prefix, p_number, p_region, p_number_region)
    ORDER BY length(r.prefix) DESC NULLS LAST, (
            SELECT max(n.digits) FROM (VALUES (2), (3), (4)) n (digits)
            WHERE left(ltrim(r.number, '+'), v_code + n.digits) = left(v_digits, v_code + n.digits)
              AND length(v_digits) > v_code + n.digits
              AND (n.digits = 3 OR left(v_digits, 1) <> '1')
        ) DESC NULLS LAST, p_uses[r.place::int], p_last[r.place::int] NULLS FIRST, r.id
    LIMIT 1;
    IF place IS NULL THEN
        SELECT min(p_free[r.place::int]) INTO retry_at
        FROM unnest(p_rows) WITH ORDINALITY r (project_id, id, caller_id, number, region, prefix, most_per_day, place)
        WHERE dialer_caller_id_applies(r.region, r.prefix, p_number, p_region, p_number_region);
        is_project := array_position(p_free, NULL) IS NULL
            AND EXISTS (SELECT FROM unnest(p_rows) r WHERE r.region IS NULL AND r.prefix IS NULL);
    END IF;
    RETURN NEXT;
END
$$
