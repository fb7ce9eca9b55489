-- dialer_limit_words(p_limit) -> text
-- A row of dialer_limits in words, with the law that it comes from: for dialer_gate.
CREATE OR REPLACE FUNCTION dialer_limit_words(p_limit bigint)
RETURNS varchar
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
    SELECT 'limit ' || m.id || ': at most ' || m.most || ' ' || m.counts || ' of the ' || m.keyed_by || CASE
            WHEN m.period_minutes % 1440 = 0 THEN ' in ' || m.period_minutes / 1440 || ' days'
            WHEN m.period_minutes % 60 = 0 THEN ' in ' || m.period_minutes / 60 || ' hours'
            WHEN m.period_minutes IS NOT NULL THEN ' in ' || m.period_minutes || ' minutes'
            WHEN m.local_period IS NOT NULL THEN ' in a local ' || m.local_period
            ELSE ' over the campaign'
        END || coalesce(' (' || m.preset || coalesce(': ' || (
            SELECT max(p.source) FROM dialer_presets p WHERE p.preset = m.preset), '') || ')', '')
    FROM dialer_limits m
    WHERE m.id = p_limit
$$
