-- dialer_free_place(p_case, p_after, p_now) -> place
-- The first of a case's numbers after place p_after (0: of all) that dialer_dnc does not speak against at p_now; 1 is
-- phone_number, the others are in dialer_case_numbers. NULL: none.
CREATE OR REPLACE FUNCTION dialer_free_place(p_case bigint, p_after int, p_now timestamptz)
RETURNS int
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_one record;
BEGIN
    FOR v_one IN
        SELECT q.place, q.number, q.project_id, q.region, split_part(dialer_place(q.number), '|', 1) AS number_region
        FROM (
            SELECT 1 AS place, dialer_number(c.phone_number, dialer_country(c.project_id)) AS number, c.project_id, c.region
            FROM dialer_clients c WHERE c.id = p_case AND p_after < 1
            UNION ALL
            SELECT f.place, f.number, c.project_id, c.region
            FROM dialer_clients c
            JOIN dialer_case_numbers f ON f.case_id = c.id AND f.case_inserted_at = c.inserted_at
            WHERE c.id = p_case AND f.place > greatest(p_after, 1)
        ) q
        ORDER BY q.place
    LOOP
        IF NOT EXISTS (
            SELECT FROM dialer_dnc_lengths z
            JOIN dialer_dnc d
                ON d.number = CASE WHEN z.length = 0 THEN v_one.number ELSE left(v_one.number, z.length) || '*' END
            LEFT JOIN dialer_rules r ON r.project_id = v_one.project_id
            WHERE (d.from_at IS NULL OR d.from_at <= p_now)
              AND (d.until_at IS NULL OR d.until_at > p_now)
              AND (d.project_id IS NULL OR d.project_id = v_one.project_id)
              AND (d.client IS NULL OR d.client = r.client)
              AND (d.purpose IS NULL OR d.purpose = r.purpose)
              AND (d.region IS NULL
                OR d.region IN (v_one.region, left(v_one.region, 2), v_one.number_region, left(v_one.number_region, 2))))
        THEN
            RETURN v_one.place;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$
