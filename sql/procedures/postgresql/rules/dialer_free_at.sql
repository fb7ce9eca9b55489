-- dialer_free_at(p_case, p_from) -> instant, NULL if nobody knows
-- The first instant from p_from on at which no rule on its number speaks against a case, and its window is open: each
-- is asked again from the instant that the one before has given, until none objects.
CREATE OR REPLACE FUNCTION dialer_free_at(p_case bigint, p_from timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_at timestamptz := p_from;
    v_before timestamptz;
BEGIN
    LOOP
        v_before := v_at;
        v_at := dialer_dnc_until(p_case, v_at);
        -- MariaDB's instants end here, and infinity is in no local day.
        IF v_at < '2038-01-19 00:00:00Z' THEN
            v_at := dialer_pause_until(p_case, dialer_limits_until(p_case, v_at));
        END IF;
        IF v_at >= '2038-01-19 00:00:00Z' THEN
            RETURN NULL;
        END IF;
        SELECT dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones,
            c.region, c.number_region, v_at)
        INTO v_at
        FROM dialer_clients c
        WHERE c.id = p_case;
        EXIT WHEN v_at = v_before OR v_at IS NULL;
    END LOOP;
    RETURN v_at;
END
$$
