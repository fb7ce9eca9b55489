-- dialer_dnc_until(p_case, p_at) -> instant
-- Until when dialer_dnc speaks against a case: p_at if it does not at p_at, infinity (MariaDB: the year 9999) if
-- nobody knows.
CREATE OR REPLACE FUNCTION dialer_dnc_until(p_case bigint, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_until timestamptz := p_at;
    v_end timestamptz;
BEGIN
    LOOP
        -- One entry may begin before another one ends.
        SELECT max(coalesce(d.until_at, 'infinity')) INTO v_end
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        CROSS JOIN dialer_dnc_lengths z
        JOIN dialer_dnc d
            ON d.number = CASE WHEN z.length = 0 THEN c.number ELSE left(c.number, z.length) || '*' END
        WHERE c.id = p_case
          AND (d.project_id IS NULL OR d.project_id = c.project_id)
          AND (d.client IS NULL OR d.client = r.client)
          AND (d.purpose IS NULL OR d.purpose = r.purpose)
          AND (d.region IS NULL
            OR d.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
          AND (d.from_at IS NULL OR d.from_at <= v_until)
          AND (d.until_at IS NULL OR d.until_at > v_until);
        EXIT WHEN v_end IS NULL;
        v_until := v_end;
        EXIT WHEN v_until = 'infinity';
    END LOOP;
    RETURN v_until;
END
$$
