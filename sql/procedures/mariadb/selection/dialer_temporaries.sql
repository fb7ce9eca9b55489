-- dialer_temporaries()
-- The temporary tables of this session that dialer_claim, dialer_screen and dialer_pick work with, since no procedure
-- can read another one's result: dialer_picked (cases that were chosen, in order), dialer_scanned (found by an index),
-- dialer_due, dialer_candidates and dialer_chosen (on the way there), dialer_windows_found, dialer_asked (what the gate
-- said of a case), dialer_holding (kept back by a rule), dialer_lockable, dialer_taken. Who needs one of them calls
-- this first, unless @dialer_temporaries says that they are there: to ask the server each time, table by table, takes
-- longer than most of what is done with them.
CREATE OR REPLACE PROCEDURE dialer_temporaries()
BEGIN
    -- Those of a session that began before a migration have other columns.
    DROP TEMPORARY TABLE IF EXISTS dialer_picked, dialer_scanned, dialer_due, dialer_candidates, dialer_chosen,
        dialer_windows_found, dialer_asked, dialer_holding, dialer_lockable, dialer_taken;
    CREATE TEMPORARY TABLE dialer_picked (
        place bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
        case_id bigint NOT NULL UNIQUE,
        kind varchar(20) NOT NULL,
        due_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE dialer_scanned (
        place bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
        case_id bigint NOT NULL UNIQUE,
        kind varchar(20) NOT NULL,
        due_at datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE dialer_due (
        case_id bigint NOT NULL,
        due_at datetime(6) NOT NULL
    ) ENGINE = MEMORY;
    CREATE TEMPORARY TABLE dialer_candidates (
        id bigint NOT NULL,
        priority bigint NOT NULL,
        created datetime(6) NOT NULL,
        minutes int NOT NULL
    ) ENGINE = MEMORY;
    CREATE TEMPORARY TABLE dialer_chosen LIKE dialer_candidates;
    CREATE TEMPORARY TABLE dialer_windows_found (
        window_key varchar(230) NOT NULL PRIMARY KEY,
        is_known tinyint(1) NOT NULL,
        is_open tinyint(1) NOT NULL,
        minutes int NOT NULL,
        case_id bigint NOT NULL,
        last_id bigint NOT NULL COMMENT 'of fresh cases: the last one of the window'
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE dialer_asked (
        case_id bigint NOT NULL PRIMARY KEY,
        own_reason varchar(40) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE dialer_holding (
        case_id bigint NOT NULL PRIMARY KEY,
        held_for varchar(40) NULL,
        held_until datetime(6) NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    CREATE TEMPORARY TABLE dialer_lockable (case_id bigint NOT NULL PRIMARY KEY) ENGINE = MEMORY;
    CREATE TEMPORARY TABLE dialer_taken (case_id bigint NOT NULL PRIMARY KEY) ENGINE = MEMORY;
    SET @dialer_temporaries = schema();
END
