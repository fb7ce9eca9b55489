-- dialer_free_at(p_case, p_from) -> instant, NULL if nobody knows
-- The first instant from p_from on at which no rule on its number speaks against a case, and its window is open: each
-- is asked again from the instant that the one before has given, until none objects.
CREATE OR REPLACE FUNCTION dialer_free_at(p_case bigint, p_from datetime(6))
RETURNS datetime(6)
READS SQL DATA
BEGIN
    DECLARE v_at datetime(6) DEFAULT p_from;
    DECLARE v_before datetime(6);
    DECLARE v_paused_until datetime(6);
    look: LOOP
        SET v_before = v_at,
            v_at = dialer_dnc_until(p_case, v_at);
        -- The server's own instants end here.
        IF v_at < '2038-01-19 00:00:00' THEN
            SET v_at = dialer_limits_until(p_case, v_at);
        END IF;
        IF v_at >= '2038-01-19 00:00:00' THEN
            RETURN NULL;
        END IF;
        SET v_paused_until = dialer_pause_until(p_case, v_at);
        SELECT dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones,
            c.region, c.number_region, v_paused_until)
        INTO v_at
        FROM dialer_clients c
        WHERE c.id = p_case;
        IF v_at IS NULL OR v_at = v_before THEN
            LEAVE look;
        END IF;
    END LOOP;
    RETURN v_at;
END
