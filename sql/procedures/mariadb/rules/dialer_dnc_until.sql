-- dialer_dnc_until(p_case, p_at) -> instant
-- Until when dialer_dnc speaks against a case: p_at if it does not at p_at, infinity (MariaDB: the year 9999) if
-- nobody knows.
CREATE OR REPLACE FUNCTION dialer_dnc_until(p_case bigint, p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_until datetime(6) DEFAULT p_at;
    DECLARE v_end datetime(6);
    look: LOOP
        -- One entry may begin before another one ends.
        SELECT max(coalesce(d.until_at, '9999-12-31 00:00:00')) INTO v_end
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        STRAIGHT_JOIN dialer_dnc_lengths z
        STRAIGHT_JOIN dialer_dnc d
            ON d.number = IF(z.length = 0, c.number, concat(left(c.number, z.length), '*'))
        WHERE c.id = p_case
          AND (d.project_id IS NULL OR d.project_id = c.project_id)
          AND (d.client IS NULL OR d.client = r.client)
          AND (d.purpose IS NULL OR d.purpose = r.purpose)
          AND (d.region IS NULL
            OR d.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
          AND (d.from_at IS NULL OR d.from_at <= v_until)
          AND (d.until_at IS NULL OR d.until_at > v_until);
        IF v_end IS NULL THEN
            LEAVE look;
        END IF;
        SET v_until = v_end;
        IF v_until >= '9999-12-31 00:00:00' THEN
            LEAVE look;
        END IF;
    END LOOP;
    RETURN v_until;
END
