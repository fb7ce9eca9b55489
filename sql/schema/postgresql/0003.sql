-- Where numbers are: ranges, in which one look finds a number.
CREATE TABLE dialer_number_ranges (
    begins varchar COLLATE "C" NOT NULL PRIMARY KEY,
    region varchar NOT NULL,
    zones varchar NOT NULL
);
COMMENT ON TABLE dialer_number_ranges IS 'dialer_prefixes as triggers on cases read it; written by dialer_screen alone';
COMMENT ON COLUMN dialer_number_ranges.begins IS 'the first digits of the range, E.164 without +; it ends where the next one begins';
INSERT INTO dialer_number_ranges (begins, region, zones)
SELECT p.prefix, coalesce(p.region, p.country, ''), coalesce(p.zones, '') FROM dialer_prefixes p
UNION ALL
-- Behind the last digit: from here on the number begins with a shorter prefix, or with none.
SELECT p.prefix || ':', coalesce(s.region, s.country, ''), coalesce(s.zones, '')
FROM dialer_prefixes p
LEFT JOIN LATERAL (
    SELECT o.region, o.country, o.zones FROM generate_series(1, length(p.prefix) - 1) n (digits)
    JOIN dialer_prefixes o ON o.prefix = left(p.prefix, n.digits)
    ORDER BY n.digits DESC LIMIT 1
) s ON true;

-- Down: how that is taken back.
