-- dialer_limit_words(p_limit) -> text
-- A row of dialer_limits in words, with the law that it comes from: for dialer_gate.
CREATE OR REPLACE FUNCTION dialer_limit_words(p_limit bigint)
RETURNS varchar(1000)
READS SQL DATA
RETURN (
    SELECT concat('limit ', m.id, ': at most ', m.most, ' ', m.counts, ' of the ', m.keyed_by, CASE
            WHEN m.period_minutes % 1440 = 0 THEN concat(' in ', m.period_minutes DIV 1440, ' days')
            WHEN m.period_minutes % 60 = 0 THEN concat(' in ', m.period_minutes DIV 60, ' hours')
            WHEN m.period_minutes IS NOT NULL THEN concat(' in ', m.period_minutes, ' minutes')
            WHEN m.local_period IS NOT NULL THEN concat(' in a local ', m.local_period)
            ELSE ' over the campaign'
        END, coalesce(concat(' (', m.preset, coalesce(concat(': ', (
            SELECT max(p.source) FROM dialer_presets p WHERE p.preset = m.preset)), ''), ')'), ''))
    FROM dialer_limits m
    WHERE m.id = p_limit)
