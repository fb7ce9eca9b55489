-- dialer_import_stage()
-- Make the session's tables of an import, empty: dialer_import_lines, for the lines of one chunk as texts (an empty
-- cell is NULL), dialer_import_further, for those of their telephone numbers that come after the first one, in order of
-- place from 2 on, dialer_import_numbers, for the first ones in one form with the place of each (MariaDB:
-- dialer_import_places), and dialer_import_seen, for numbers that were read before: by a dry run, which inserts no
-- cases to look them up in. Whoever imports fills the first two in the same transaction.
CREATE OR REPLACE FUNCTION dialer_import_stage()
RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    IF to_regclass('pg_temp.dialer_import_lines') IS NULL THEN
        CREATE TEMPORARY TABLE dialer_import_lines (
            line int8 NOT NULL,
            case_name varchar NULL,
            phone_number varchar NULL,
            priority varchar NULL,
            utc varchar NULL,
            allowed_start varchar NULL,
            allowed_stop varchar NULL,
            call_back varchar NULL,
            call_back_period varchar NULL,
            deferred_time varchar NULL,
            region varchar NULL,
            fields varchar NULL,
            reason varchar NULL,
            skipped bool NOT NULL DEFAULT false
        ) ON COMMIT DELETE ROWS;
        CREATE TEMPORARY TABLE dialer_import_further (
            line int8 NOT NULL,
            place int NOT NULL,
            phone_number varchar NOT NULL,
            number varchar COLLATE "C" NULL
        ) ON COMMIT DELETE ROWS;
        CREATE TEMPORARY TABLE dialer_import_numbers (
            line int8 NOT NULL,
            number varchar COLLATE "C" NOT NULL,
            region varchar NULL,
            zones varchar NULL,
            case_id int8 NULL
        ) ON COMMIT DELETE ROWS;
        CREATE TEMPORARY TABLE dialer_import_seen (
            number varchar COLLATE "C" NOT NULL,
            is_first bool NOT NULL,
            PRIMARY KEY (number, is_first)
        );
    ELSE
        DELETE FROM dialer_import_lines;
        DELETE FROM dialer_import_further;
        DELETE FROM dialer_import_numbers;
    END IF;
END
$$
