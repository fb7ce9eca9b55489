-- dialer_pause_until(p_case, p_at) -> instant
-- Until when the number of a case rests (dialer_number_pauses); p_at if it does not at p_at.
CREATE OR REPLACE FUNCTION dialer_pause_until(p_case bigint, p_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    RETURN (
        SELECT coalesce(max(p.until_at), p_at)
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        JOIN dialer_number_pauses p ON p.number = c.number
        WHERE c.id = p_case
          AND p.until_at > p_at
          AND (p.project_id IS NULL OR p.project_id = c.project_id)
          AND (p.client IS NULL OR p.client = r.client)
          AND (p.purpose IS NULL OR p.purpose = r.purpose)
          AND (p.region IS NULL OR p.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
          AND (p.callbacks OR c.deferred_kind IS DISTINCT FROM 'scheduled' OR c.deferred_done));
END
$$
