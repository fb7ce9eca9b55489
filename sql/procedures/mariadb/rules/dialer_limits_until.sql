-- dialer_limits_until(p_case, p_at) -> instant
-- Until when any row of dialer_limits speaks against a case: p_at if none does at p_at, infinity (MariaDB: the year
-- 9999) if one does for the whole campaign.
CREATE OR REPLACE FUNCTION dialer_limits_until(p_case bigint, p_at datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_until datetime(6) DEFAULT p_at;
    DECLARE v_end datetime(6);
    DECLARE v_again tinyint(1);
    look: LOOP
        SELECT max(dialer_limit_until(m.id, p_case, v_until)), max(m.local_period IS NOT NULL) INTO v_end, v_again
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        STRAIGHT_JOIN dialer_limits m
        WHERE c.id = p_case
          AND (m.project_id IS NULL OR m.project_id = c.project_id)
          AND (m.client IS NULL OR m.client = r.client)
          AND (m.purpose IS NULL OR m.purpose = r.purpose)
          AND (m.region IS NULL
            OR m.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
          AND (m.callbacks OR NOT c.deferred_kind <=> 'scheduled' OR c.deferred_done);
        IF v_end IS NULL OR v_end <= v_until THEN
            LEAVE look;
        END IF;
        SET v_until = v_end;
        -- Where all of them are over so many minutes after a call, the last end is the end.
        IF v_until >= '9999-12-31 00:00:00' OR NOT v_again THEN
            LEAVE look;
        END IF;
    END LOOP;
    RETURN v_until;
END
