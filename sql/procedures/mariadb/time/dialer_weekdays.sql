-- dialer_weekdays(p_weekdays) -> eight digits 0 or 1, for Mo Tu We Th Fr Sa Su PH; NULL if p_weekdays is not readable
-- Which kinds of day 'Mo-Fr,Su,PH' names; a range may pass the week's end. PH: public holidays.
CREATE OR REPLACE FUNCTION dialer_weekdays(p_weekdays varchar(400))
RETURNS varchar(8)
DETERMINISTIC NO SQL
BEGIN
    DECLARE v_rest varchar(401) DEFAULT concat(p_weekdays, ',');
    DECLARE v_item varchar(400);
    DECLARE v_day int;
    DECLARE v_last int;
    DECLARE v_found varchar(8) DEFAULT '00000000';
    IF NOT coalesce(p_weekdays REGEXP '^((Mo|Tu|We|Th|Fr|Sa|Su)(-(Mo|Tu|We|Th|Fr|Sa|Su))?|PH)(,((Mo|Tu|We|Th|Fr|Sa|Su)(-(Mo|Tu|We|Th|Fr|Sa|Su))?|PH))*\\z', false) THEN
        RETURN NULL;
    END IF;
    WHILE v_rest <> '' DO
        SET v_item = substring_index(v_rest, ',', 1),
            v_rest = substr(v_rest, char_length(v_item) + 2),
            v_day = (locate(left(v_item, 2), 'MoTuWeThFrSaSuPH') + 1) DIV 2,
            v_last = (locate(right(v_item, 2), 'MoTuWeThFrSaSuPH') + 1) DIV 2,
            v_found = insert(v_found, v_day, 1, '1');
        WHILE v_day <> v_last DO
            SET v_day = v_day MOD 7 + 1,
                v_found = insert(v_found, v_day, 1, '1');
        END WHILE;
    END WHILE;
    RETURN v_found;
END
