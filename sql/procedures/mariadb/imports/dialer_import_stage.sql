-- dialer_import_stage()
-- Make the session's tables of an import, empty: dialer_import_lines, for the lines of one chunk as texts (an empty
-- cell is NULL), dialer_import_further, for those of their telephone numbers that come after the first one, in order of
-- place from 2 on, dialer_import_numbers, for the first ones in one form with the place of each (MariaDB:
-- dialer_import_places), and dialer_import_seen, for numbers that were read before: by a dry run, which inserts no
-- cases to look them up in. Whoever imports fills the first two in the same transaction.
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
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_further (
        line bigint NOT NULL,
        place int NOT NULL,
        phone_number text NOT NULL,
        number varchar(400) NULL,
        PRIMARY KEY (line, place)
    ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_faults (
        line bigint NOT NULL PRIMARY KEY,
        place int NOT NULL,
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
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_import_seen (
        number varchar(400) NOT NULL,
        is_first tinyint(1) NOT NULL,
        PRIMARY KEY (number, is_first)
    ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    DELETE FROM dialer_import_further;
    DELETE FROM dialer_import_numbers;
END
