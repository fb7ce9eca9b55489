-- Where numbers are: ranges, in which one look finds a number; dialer_places is read until the routines are new.
CREATE TABLE IF NOT EXISTS dialer_number_ranges (
    begins varchar(20) NOT NULL PRIMARY KEY
        COMMENT 'the first digits of the range, E.164 without +; it ends where the next one begins',
    region varchar(40) NOT NULL,
    zones varchar(1000) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'dialer_prefixes as triggers on cases read it; written by dialer_screen alone, so that they lock nothing that people edit';
REPLACE INTO dialer_number_ranges (begins, region, zones)
SELECT p.prefix, coalesce(p.region, p.country, ''), coalesce(p.zones, '') FROM dialer_prefixes p;
-- Behind the last digit: from here on the number begins with a shorter prefix, or with none.
REPLACE INTO dialer_number_ranges (begins, region, zones)
SELECT concat(p.prefix, ':'), coalesce(o.region, o.country, ''), coalesce(o.zones, '')
FROM (
    SELECT k.prefix, max(s.prefix) AS shorter
    FROM dialer_prefixes k
    LEFT JOIN seq_1_to_15 n ON n.seq < char_length(k.prefix)
    LEFT JOIN dialer_prefixes s ON s.prefix = left(k.prefix, n.seq)
    GROUP BY k.prefix
) p
LEFT JOIN dialer_prefixes o ON o.prefix = p.shorter;

CREATE TABLE IF NOT EXISTS dialer_archives (
    started_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'when the run began: limits written later do not count what it has moved (dialer_warnings, limit_forgets)',
    project_id varchar(400) NOT NULL,
    file_name varchar(1000) NOT NULL COMMENT 'where they are, as the command was told',
    attempts bigint NOT NULL COMMENT 'how many',
    begun_at timestamp(6) NULL DEFAULT NULL
        COMMENT 'the latest begun_at of those that a limit may count; NULL: none of them may',
    PRIMARY KEY (started_at, project_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'attempts that dialer archive has moved from dialer_attempts into files: a row per run and project';

-- Down: how that is taken back.
DROP TABLE IF EXISTS dialer_archives;
CREATE TABLE IF NOT EXISTS dialer_places (
    prefix varchar(20) NOT NULL PRIMARY KEY,
    region varchar(40) NOT NULL,
    zones varchar(1000) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'dialer_prefixes as triggers on cases read it; written by dialer_screen alone, so that they lock nothing that people edit';
REPLACE INTO dialer_places (prefix, region, zones)
SELECT p.prefix, coalesce(p.region, p.country, ''), coalesce(p.zones, '') FROM dialer_prefixes p;
