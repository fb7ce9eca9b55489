-- dialer_limits_until(p_case, p_at) -> instant
-- Until when any row of dialer_limits speaks against a case: p_at if none does at p_at, infinity (MariaDB: the year
-- 9999) if one does for the whole campaign.
CREATE OR REPLACE FUNCTION dialer_limits_until(p_case bigint, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_until timestamptz := p_at;
    v_end timestamptz;
    v_again bool;
BEGIN
    LOOP
        SELECT max(dialer_limit_until(m.id, p_case, v_until)), bool_or(m.local_period IS NOT NULL) INTO v_end, v_again
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        CROSS JOIN dialer_limits m
        WHERE c.id = p_case
          AND (m.project_id IS NULL OR m.project_id = c.project_id)
          AND (m.client IS NULL OR m.client = r.client)
          AND (m.purpose IS NULL OR m.purpose = r.purpose)
          AND (m.region IS NULL
            OR m.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
          AND (m.callbacks OR c.deferred_kind IS DISTINCT FROM 'scheduled' OR c.deferred_done);
        EXIT WHEN v_end IS NULL OR v_end <= v_until;
        v_until := v_end;
        -- Where all of them are over so many minutes after a call, the last end is the end.
        EXIT WHEN v_until = 'infinity' OR NOT v_again;
    END LOOP;
    RETURN v_until;
END
$$
