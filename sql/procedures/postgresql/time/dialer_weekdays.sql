-- dialer_weekdays(p_weekdays) -> eight digits 0 or 1, for Mo Tu We Th Fr Sa Su PH; NULL if p_weekdays is not readable
-- Which kinds of day 'Mo-Fr,Su,PH' names; a range may pass the week's end. PH: public holidays.
CREATE OR REPLACE FUNCTION dialer_weekdays(p_weekdays varchar)
RETURNS varchar
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT string_agg(CASE WHEN EXISTS (
            SELECT FROM regexp_split_to_table(p_weekdays, ',') i(item)
            CROSS JOIN LATERAL (
                SELECT (strpos('MoTuWeThFrSaSuPH', left(i.item, 2)) + 1) / 2,
                    (strpos('MoTuWeThFrSaSuPH', right(i.item, 2)) + 1) / 2
            ) r(first, last)
            WHERE CASE WHEN r.first <= r.last THEN d.day BETWEEN r.first AND r.last
                ELSE d.day <= 7 AND (d.day >= r.first OR d.day <= r.last) END
        ) THEN '1' ELSE '0' END, '' ORDER BY d.day)
    FROM generate_series(1, 8) d(day)
    WHERE p_weekdays ~ '^((Mo|Tu|We|Th|Fr|Sa|Su)(-(Mo|Tu|We|Th|Fr|Sa|Su))?|PH)(,((Mo|Tu|We|Th|Fr|Sa|Su)(-(Mo|Tu|We|Th|Fr|Sa|Su))?|PH))*$'
$$
