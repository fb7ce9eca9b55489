-- dialer_import_stage()
-- Make the session's tables of an import, empty: dialer_import_lines, for the lines of one chunk as texts (an empty cell
-- is NULL), dialer_import_numbers, for their numbers in one form, and dialer_import_seen, for the numbers that a dry run
-- has read before (it inserts no cases to look them up in). Whoever imports fills dialer_import_lines in the same
-- transaction.
CREATE OR REPLACE PROCEDURE dialer_import_stage()
BEGIN
    -- To delete its rows would cost as much as to fill it.
    DROP TEMPORARY TABLE IF EXISTS dialer_import_lines;
    CREATE TEMPORARY TABLE dialer_import_lines (
        line bigint NOT NULL PRIMARY KEY,
        case_name text NULL,
        phone_number text NULL,
        priority text NULL,
        utc text NULL,
        allowed_start text NULL,
        allowed_stop text NULL,
        call_back text NULL,
        call_back_period text NULL,
        deferred_time text NULL,
        region text NULL,
        fields longtext NULL,
        reason text NULL,
        skipped tinyint(1) NOT NULL DEFAULT false
    ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_faults (
        line bigint NOT NULL PRIMARY KEY,
        fault varchar(100) NOT NULL,
        skipped tinyint(1) NOT NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_numbers (
        line bigint NOT NULL PRIMARY KEY,
        number varchar(100) NOT NULL,
        KEY (number)
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_places (
        line bigint NOT NULL PRIMARY KEY,
        begins varchar(20) NOT NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_seen (number varchar(400) NOT NULL PRIMARY KEY, line bigint NOT NULL)
    ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    DELETE FROM dialer_import_numbers;
END
