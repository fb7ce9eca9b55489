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

CREATE TABLE dialer_archives (
    started_at timestamptz NOT NULL,
    project_id varchar NOT NULL,
    file_name varchar NOT NULL,
    attempts int8 NOT NULL,
    begun_at timestamptz NULL,
    PRIMARY KEY (started_at, project_id)
);
COMMENT ON TABLE dialer_archives IS 'attempts that dialer archive has moved from dialer_attempts into files: a row per run and project';
COMMENT ON COLUMN dialer_archives.started_at IS 'when the run began: limits written later do not count what it has moved (dialer_warnings, limit_forgets)';
COMMENT ON COLUMN dialer_archives.file_name IS 'where they are, as the command was told';
COMMENT ON COLUMN dialer_archives.attempts IS 'how many';
COMMENT ON COLUMN dialer_archives.begun_at IS 'the latest begun_at of those that a limit may count; NULL: none of them may';

-- Down: how that is taken back.
DROP TABLE dialer_archives;
