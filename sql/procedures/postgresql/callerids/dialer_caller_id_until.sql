-- dialer_caller_id_until(p_project, p_now) -> instant
-- When the first of a project's caller IDs is free again, if all that may apply to its calls (dialer_caller_id_rows) are
-- used up; NULL: one is free, or it has no rows.
CREATE OR REPLACE FUNCTION dialer_caller_id_until(p_project varchar, p_now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_number record;
    v_free timestamptz;
    v_until timestamptz;
BEGIN
    -- Those without a cap first: one of them is the answer.
    FOR v_number IN
        SELECT DISTINCT i.number, i.most_per_day FROM dialer_caller_id_rows i
        WHERE i.project_id = p_project
        ORDER BY i.most_per_day DESC NULLS FIRST
    LOOP
        SELECT m.free_at INTO v_free FROM dialer_caller_id_room(v_number.number, v_number.most_per_day, p_now) m;
        IF v_free IS NULL THEN
            RETURN NULL;
        END IF;
        v_until := least(v_until, v_free);
    END LOOP;
    RETURN v_until;
END
$$
