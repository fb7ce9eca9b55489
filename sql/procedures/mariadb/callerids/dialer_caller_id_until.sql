-- dialer_caller_id_until(p_project, p_now) -> instant
-- When the first of a project's caller IDs is free again, if all that may apply to its calls (dialer_caller_id_rows) are
-- used up; NULL: one is free, or it has no rows.
CREATE OR REPLACE FUNCTION dialer_caller_id_until(p_project varchar(400), p_now datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_free datetime(6);
    DECLARE v_until datetime(6);
    -- Those without a cap first: one of them is the answer.
    FOR caller IN (
        SELECT DISTINCT i.number, i.most_per_day FROM dialer_caller_id_rows i
        WHERE i.project_id = p_project
        ORDER BY coalesce(i.most_per_day, 2147483647) DESC
    ) DO
        SET v_free = json_value(dialer_caller_id_room(caller.number, caller.most_per_day, p_now), '$.free_at');
        IF v_free IS NULL THEN
            RETURN NULL;
        END IF;
        SET v_until = least(coalesce(v_until, v_free), v_free);
    END FOR;
    RETURN v_until;
END
