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
CREATE OR REPLACE PROCEDURE dialer_caller_id(
    -- The rows stand in dialer_begin_callers, a temporary table of dialer_attempt_begin.
    p_number varchar(400),
    p_region varchar(400),
    p_number_region varchar(400),
    OUT p_place int,
    OUT p_retry_at datetime(6),
    OUT p_is_project tinyint(1)
)
BEGIN
    DECLARE v_digits varchar(400) DEFAULT trim(LEADING '+' FROM p_number);
    DECLARE v_code int;
    SET p_place = NULL, p_retry_at = NULL, p_is_project = NULL;
    SELECT max(char_length(p.code)) INTO v_code FROM dialer_countries p
    WHERE p.code IN (left(v_digits, 1), left(v_digits, 2), left(v_digits, 3));
    SELECT max(t.place) INTO p_place
    FROM (
        SELECT r.place
        FROM dialer_begin_callers r
        WHERE r.free_at IS NULL AND dialer_caller_id_applies(r.region, r.prefix, p_number, p_region, p_number_region)
        ORDER BY coalesce(char_length(r.prefix), 0) DESC,
            CASE
                WHEN v_code IS NULL THEN 0
                WHEN left(v_digits, 1) <> '1' AND char_length(v_digits) > v_code + 4
                    AND left(r.digits, v_code + 4) = left(v_digits, v_code + 4) THEN 4
                WHEN char_length(v_digits) > v_code + 3
                    AND left(r.digits, v_code + 3) = left(v_digits, v_code + 3) THEN 3
                WHEN left(v_digits, 1) <> '1' AND char_length(v_digits) > v_code + 2
                    AND left(r.digits, v_code + 2) = left(v_digits, v_code + 2) THEN 2
                ELSE 0
            END DESC,
            r.uses, coalesce(r.last_attempt, 0), r.id
        LIMIT 1
    ) t;
    IF p_place IS NULL THEN
        SELECT min(r.free_at) INTO p_retry_at
        FROM dialer_begin_callers r
        WHERE dialer_caller_id_applies(r.region, r.prefix, p_number, p_region, p_number_region);
        SELECT coalesce(sum(r.free_at IS NULL) = 0 AND sum(r.region IS NULL AND r.prefix IS NULL) > 0, false)
        INTO p_is_project
        FROM dialer_begin_callers r;
    END IF;
END
