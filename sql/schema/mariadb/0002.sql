-- Rules as rows: whom we may call, when, how often; and one form for every number.
-- Scope of a rule, in every rule table: project_id, client, region, purpose; NULL means any, all four must match.

-- A case: its number in one form, where it is, what else the list knew, what holds it back.
ALTER TABLE dialer_clients
    ADD COLUMN IF NOT EXISTS number varchar(400) NOT NULL DEFAULT '' INVISIBLE
        COMMENT 'the number that is dialled next, in one form, E.164 where its country is known (dialer_number); written by the dialer',
    ADD COLUMN IF NOT EXISTS number_place int NOT NULL DEFAULT 1 INVISIBLE
        COMMENT 'which of the case''s numbers is dialled next; 1: phone_number',
    ADD COLUMN IF NOT EXISTS region varchar(40) NULL INVISIBLE
        COMMENT 'where the subscriber''s address is: country, or country and part, like US-FL (ISO 3166-2)',
    ADD COLUMN IF NOT EXISTS number_region varchar(40) NULL INVISIBLE
        COMMENT 'where the number says that it is; written by the dialer',
    ADD COLUMN IF NOT EXISTS zones varchar(1000) NULL INVISIBLE
        COMMENT 'the zones of the number, joined by &; written by the dialer',
    ADD COLUMN IF NOT EXISTS fields longtext NULL INVISIBLE
        COMMENT 'what else the list knew: a JSON object',
    ADD COLUMN IF NOT EXISTS import_id bigint NULL INVISIBLE
        COMMENT 'the import that brought the case (dialer_imports); NULL: none did',
    ADD COLUMN IF NOT EXISTS held_for varchar(40) NULL INVISIBLE
        COMMENT 'the rule that keeps the case back; NULL: none, as far as was looked. A lower bound: claim and begin ask the rules',
    ADD COLUMN IF NOT EXISTS held_until timestamp(6) NULL DEFAULT NULL INVISIBLE
        COMMENT 'until when it keeps it back; NULL: until a rule changes';
UPDATE dialer_clients SET number = phone_number WHERE number = '';
-- Cut to the longest that is accepted: an index key has a limit, and a column that is too long must reach its check.
ALTER TABLE dialer_clients
    MODIFY COLUMN window_key varchar(230)
        AS (concat(left(coalesce(utc, ''), 64), '|', left(allowed_start, 8), '|', left(allowed_stop, 8), '|',
            IF(char_length(zones) > 100, concat('#', md5(zones)), coalesce(zones, '')), '|',
            left(coalesce(region, ''), 20), '|', left(coalesce(number_region, ''), 20))) PERSISTENT INVISIBLE
        COMMENT 'cases with one key open and close together',
    MODIFY COLUMN waits_as varchar(9)
        AS (CASE
            WHEN used OR checked OR held_for IS NOT NULL THEN NULL
            WHEN deferred_time IS NULL OR deferred_done THEN 'fresh'
            ELSE deferred_kind
        END) PERSISTENT INVISIBLE
        COMMENT 'fresh, scheduled or redial; NULL: does not wait';
ALTER TABLE dialer_clients
    ADD COLUMN IF NOT EXISTS waits_for varchar(40)
        AS (IF(used OR checked, NULL, held_for)) PERSISTENT INVISIBLE
        COMMENT 'what a case that would wait is held for; NULL: it is not held, or does not wait';
DROP INDEX IF EXISTS dialer_clients_number ON dialer_clients;
-- the cases of a number
CREATE INDEX IF NOT EXISTS dialer_clients_number ON dialer_clients (number);
-- held cases: those whose time has come, and how many there are
CREATE INDEX IF NOT EXISTS dialer_clients_held ON dialer_clients (project_id, waits_for, held_until);

ALTER TABLE dialer_live CHANGE COLUMN IF EXISTS phone_number number varchar(400) NOT NULL;
ALTER TABLE dialer_abandoned CHANGE COLUMN IF EXISTS phone_number number varchar(400) NOT NULL;
ALTER TABLE dialer_calls ADD COLUMN IF NOT EXISTS number varchar(400) NOT NULL DEFAULT '';
UPDATE dialer_calls SET number = phone_number WHERE number = '';
CREATE INDEX IF NOT EXISTS dialer_calls_number ON dialer_calls (number);
ALTER TABLE dialer_calls ADD COLUMN IF NOT EXISTS keys_pressed varchar(40) NULL;
ALTER TABLE dialer_attempts ADD COLUMN IF NOT EXISTS number varchar(400) NOT NULL DEFAULT ''
    COMMENT 'the number that was dialled, in the form that it was begun with (dialer_number)';
UPDATE dialer_attempts SET number = phone_number WHERE number = '';
ALTER TABLE dialer_calls
    ADD COLUMN IF NOT EXISTS number_place int NOT NULL DEFAULT 1,
    MODIFY COLUMN effect varchar(20) NULL COMMENT 'what its end did to the case'
        CHECK (effect IN ('used', 'redial', 'moved', 'back', 'kept'));
ALTER TABLE dialer_attempts
    ADD COLUMN IF NOT EXISTS number_place int NOT NULL DEFAULT 1
        COMMENT 'which of the case''s numbers was dialled; 1: phone_number',
    MODIFY COLUMN effect varchar(20) NOT NULL COMMENT 'what its end did to the case'
        CHECK (effect IN ('used', 'redial', 'moved', 'back', 'kept'));
ALTER TABLE dialer_calls ADD COLUMN IF NOT EXISTS reach int AS (CASE
            WHEN outcome IN ('FAILED', 'CANCELLED', 'TECHNICAL') AND coalesce(ringing_at, answered_at) IS NULL THEN 0
            WHEN outcome = 'FAILED' THEN 0
            WHEN answered_at IS NULL OR outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN 1
            WHEN agent_at IS NULL AND played_at IS NULL THEN 2
            ELSE 3
        END) VIRTUAL;
ALTER TABLE dialer_attempts ADD COLUMN IF NOT EXISTS reach int AS (CASE
            WHEN outcome IN ('FAILED', 'CANCELLED', 'TECHNICAL') AND coalesce(ringing_at, answered_at) IS NULL THEN 0
            WHEN outcome = 'FAILED' THEN 0
            WHEN answered_at IS NULL OR outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN 1
            WHEN agent_at IS NULL AND played_at IS NULL THEN 2
            ELSE 3
        END) VIRTUAL
        COMMENT 'what it counts as in dialer_limits: 0 nothing, 1 an attempt, 2 connected (a person answered), 3 a conversation (with an agent, or the message heard)';
ALTER TABLE dialer_attempts ADD COLUMN IF NOT EXISTS keys_pressed varchar(40) NULL
    COMMENT 'the keys that the subscriber pressed, in order; at most 40';
-- limits: the latest attempts of a number
CREATE INDEX IF NOT EXISTS dialer_attempts_number ON dialer_attempts (number, begun_at);
ALTER TABLE dialer_calls ADD COLUMN IF NOT EXISTS caller_id varchar(200) NULL
    COMMENT 'the number that the call shows, in one form (dialer_caller_id_number); NULL: the trunk''s';
ALTER TABLE dialer_attempts ADD COLUMN IF NOT EXISTS caller_id varchar(200) NULL
    COMMENT 'the number that the call showed, in one form (dialer_caller_id_number); NULL: the trunk''s';
ALTER TABLE dialer_calls ADD COLUMN IF NOT EXISTS window_key varchar(230) NULL;
ALTER TABLE dialer_attempts ADD COLUMN IF NOT EXISTS window_key varchar(230) NULL
    COMMENT 'dialer_clients.window_key when it began: another one by now means that the rules went by other facts then (dialer_rule_breaches)';
-- dialer_caller_id_room: the latest calls that showed a number
CREATE INDEX IF NOT EXISTS dialer_calls_caller_id ON dialer_calls (caller_id, begun_at);
CREATE INDEX IF NOT EXISTS dialer_attempts_caller_id ON dialer_attempts (caller_id, begun_at);

CREATE TABLE IF NOT EXISTS dialer_rule_changes (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    number varchar(400) NULL COMMENT 'the change concerns this number alone; NULL: all cases',
    numbers bool NOT NULL DEFAULT false
        COMMENT 'numbers may mean something else since, or be somewhere else; with a number: its cases could not be written then'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'a row for each change of rules that dialer_screen has not looked at yet; rows are only added and taken away, so that nobody waits';
-- dialer_rules_version
CREATE INDEX IF NOT EXISTS dialer_rule_changes_number ON dialer_rule_changes (number);
INSERT IGNORE INTO dialer_rule_changes (id, numbers) VALUES (1, true);

-- Numbering plans, from phonenumbers (make data).
CREATE TABLE IF NOT EXISTS dialer_countries (
    country varchar(2) NOT NULL PRIMARY KEY COMMENT 'ISO 3166-1, two letters',
    code varchar(4) NOT NULL COMMENT 'country code, without +',
    trunk_prefix varchar(10) NULL,
    international_prefix varchar(20) NOT NULL,
    lengths varchar(100) NOT NULL
        COMMENT 'how many digits its numbers have without country code and trunk prefix, like |9|10|'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'how numbers are written in each country, from the phonenumbers library';

CREATE TABLE IF NOT EXISTS dialer_numbering (
    project_id varchar(400) NOT NULL PRIMARY KEY,
    country varchar(2) NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'by which country''s plan the numbers of a project''s cases are read, row '''': those without a row; written by dialer_screen alone, so that triggers on cases lock nothing that people edit';

CREATE TABLE IF NOT EXISTS dialer_screening (
    id int NOT NULL PRIMARY KEY CHECK (id = 1),
    looked_to bigint NOT NULL DEFAULT 0 COMMENT 'the last case (its id) that was looked at; new ones come after it',
    attempts_to bigint NOT NULL DEFAULT 0
        COMMENT 'the last attempt (its id) after which the cases of its number were looked at',
    pauses_to bigint NOT NULL DEFAULT 0 COMMENT 'the same of dialer_number_pauses',
    looked_at timestamp(6) NOT NULL DEFAULT '1971-01-01 00:00:00'
        COMMENT 'when dialer_screen was called last: a rule that has begun since is a changed rule',
    passes bigint NOT NULL DEFAULT 0 COMMENT 'how often rules had changed',
    numbers bool NOT NULL DEFAULT true COMMENT 'numbers are looked at, too, until all cases have been',
    numbers_to bigint NOT NULL DEFAULT 0
        COMMENT 'the last case (its id) whose further numbers were looked at: has it been deleted?'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'one row: how far dialer_screen has looked at the cases since rules changed';
INSERT IGNORE INTO dialer_screening (id) VALUES (1);

ALTER TABLE dialer_params
    ADD COLUMN IF NOT EXISTS client varchar(400) NULL INVISIBLE COMMENT 'on whose behalf it calls; rules may be of a client',
    ADD COLUMN IF NOT EXISTS purpose varchar(400) NOT NULL DEFAULT 'sales' INVISIBLE
        COMMENT 'sales, debt, research or service; rules may be of a purpose',
    ADD COLUMN IF NOT EXISTS country varchar(400) NULL INVISIBLE
        COMMENT 'by whose numbering plan its numbers are read (ISO 3166-1, two letters); NULL: country in dialer_settings',
    ADD COLUMN IF NOT EXISTS zone_by varchar(400) NOT NULL DEFAULT 'project' INVISIBLE
        COMMENT 'zone of cases without utc: project (its zone, else the number''s) or number (all zones of the number must be open, else the project''s)',
    ADD COLUMN IF NOT EXISTS most_attempts int NULL INVISIBLE
        COMMENT 'most attempts on a case since it was fresh or brought back, whatever dialer_retries says; NULL: no cap',
    ADD COLUMN IF NOT EXISTS message varchar(400) NULL INVISIBLE
        COMMENT 'the recording that is played, as Asterisk names it, without its ending; NULL: the one in the context',
    ADD COLUMN IF NOT EXISTS message_field varchar(400) NULL INVISIBLE
        COMMENT 'the value of a case''s fields that names its own recording; where it has none, or no name of a file, message',
    ADD COLUMN IF NOT EXISTS key_repeat varchar(400) NULL INVISIBLE
        COMMENT 'the key with which a subscriber hears the message again: 0-9, * or #; NULL: not offered',
    ADD COLUMN IF NOT EXISTS key_agent varchar(400) NULL INVISIBLE
        COMMENT 'the key for an agent of the queue; NULL: not offered',
    ADD COLUMN IF NOT EXISTS key_opt_out varchar(400) NULL INVISIBLE
        COMMENT 'the key for: never call me again (dialer_dnc); NULL: not offered',
    ADD COLUMN IF NOT EXISTS opt_out_scope varchar(400) NOT NULL DEFAULT 'all' INVISIBLE
        COMMENT 'who must not call a subscriber who opted out: all, the projects of this client (client), or this project alone (project)',
    ADD COLUMN IF NOT EXISTS scrubbed_at timestamp(6) NULL DEFAULT NULL INVISIBLE
        COMMENT 'when all its waiting cases were compared with the do-not-call registry; NULL: nobody has noted it',
    ADD COLUMN IF NOT EXISTS scrub_days int NULL INVISIBLE
        COMMENT 'for so many days of 24 hours from scrubbed_at on its cases may be called; NULL: no rule',
    ADD COLUMN IF NOT EXISTS scrub_blocks tinyint(1) NOT NULL DEFAULT false INVISIBLE
        COMMENT 'whether cases of a list that is too old are not called; otherwise dialer_warnings says so',
    ADD COLUMN IF NOT EXISTS scoped_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) INVISIBLE
        COMMENT 'since when client, purpose, zone and zone_by are as they are; written by the dialer (dialer_rule_breaches)';
INSERT IGNORE INTO dialer_settings (name, value, description) VALUES
    ('country', '', 'by whose numbering plan numbers are read where a project names none, two letters like RU; empty: as written'),
    ('wrong_number_codes', 'wrong number', 'codes of agents, by commas, that say that the number is not the subscriber''s');

-- Rules.
CREATE TABLE IF NOT EXISTS dialer_dnc (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    number varchar(400) NOT NULL COMMENT 'E.164, or a prefix of it with * at the end; without + it is read by its project''s country, else by country in dialer_settings',
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(40) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(40) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    reason varchar(400) NOT NULL DEFAULT '' COMMENT 'why; shown where the number is refused',
    from_at timestamp(6) NULL DEFAULT NULL COMMENT 'holds from then on; NULL: at once',
    until_at timestamp(6) NULL DEFAULT NULL COMMENT 'holds until then; NULL: for ever',
    attempt_id bigint NULL COMMENT 'the call in which the subscriber asked for it',
    added_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'when it was written, or changed last; of an opt-out, when the key was pressed'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'numbers that must not be called';
CREATE INDEX IF NOT EXISTS dialer_dnc_number ON dialer_dnc (number);
-- dialer_opt_out: the same opt-out again is the same row; dialer_case_settle
CREATE UNIQUE INDEX IF NOT EXISTS dialer_dnc_attempt ON dialer_dnc (attempt_id, number);

-- dialer_screen: entries that begin later
CREATE INDEX IF NOT EXISTS dialer_dnc_from ON dialer_dnc (from_at);

CREATE TABLE IF NOT EXISTS dialer_dnc_lengths (
    length int NOT NULL PRIMARY KEY
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'how long the prefixes of dialer_dnc are, without *; 0: whole numbers';
INSERT IGNORE INTO dialer_dnc_lengths (length) VALUES (0);

CREATE TABLE IF NOT EXISTS dialer_limits (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(40) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(40) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    keyed_by varchar(40) NOT NULL DEFAULT 'number' COMMENT 'number: calls of the number, in all projects of the scope; case: calls of the case',
    counts varchar(40) NOT NULL DEFAULT 'attempts' COMMENT 'attempts; connected: answered by a person; conversations: with an agent, or the message heard',
    most int NOT NULL COMMENT 'so many are allowed; the next one waits',
    period_minutes int NULL COMMENT 'in so many minutes before the call',
    local_period varchar(40) NULL COMMENT 'day, week (from Monday) or month, by the subscriber''s clock; neither: over the whole campaign',
    callbacks tinyint(1) NOT NULL DEFAULT false COMMENT 'binds callbacks promised to the subscriber, too',
    preset varchar(40) NULL COMMENT 'the preset that wrote the row; NULL: your own',
    added_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'when it was written, or changed last'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'most calls of a number (or a case) in a period; a gap is a limit of one';

CREATE TABLE IF NOT EXISTS dialer_pauses (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(40) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(40) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    outcome varchar(20) NULL COMMENT 'after this outcome (dialer_outcomes) …',
    disposition varchar(400) NULL COMMENT '… or this code of the agent; one of the two',
    period_minutes int NOT NULL COMMENT 'from the end of that call',
    callbacks tinyint(1) NOT NULL DEFAULT false COMMENT 'binds callbacks promised to the subscriber, too',
    preset varchar(40) NULL COMMENT 'the preset that wrote the row; NULL: your own'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'how long a number rests after an outcome or a disposition';

CREATE TABLE IF NOT EXISTS dialer_number_pauses (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    number varchar(400) NOT NULL,
    project_id varchar(400) NULL,
    client varchar(400) NULL,
    region varchar(40) NULL,
    purpose varchar(40) NULL,
    callbacks tinyint(1) NOT NULL,
    until_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    pause_id bigint NOT NULL COMMENT 'the row of dialer_pauses, whose scope it has',
    attempt_id bigint NOT NULL,
    added_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'numbers that rest now, written at the end of the call; they do not depend on the ledger';
CREATE INDEX IF NOT EXISTS dialer_number_pauses_number ON dialer_number_pauses (number);
-- dialer_prune
CREATE INDEX IF NOT EXISTS dialer_number_pauses_until ON dialer_number_pauses (until_at);

CREATE TABLE IF NOT EXISTS dialer_retries (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(40) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(40) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    outcome varchar(20) NULL COMMENT 'after this outcome (dialer_outcomes) …',
    disposition varchar(400) NULL COMMENT '… or this code of the agent; one of the two',
    period_minutes int NOT NULL COMMENT 'from the end of that call',
    most int NULL COMMENT 'at most so many times; NULL: dialer_params.most_attempts alone ends it',
    other_part_of_day tinyint(1) NOT NULL DEFAULT false COMMENT 'not in the part of the subscriber''s day of that call: before 12, 12 to 17, from 17',
    preset varchar(40) NULL COMMENT 'the preset that wrote the row; NULL: your own'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'when a case is called again after an outcome or a disposition';

CREATE TABLE IF NOT EXISTS dialer_hours (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(400) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(400) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    weekdays varchar(400) NOT NULL DEFAULT 'Mo-Su,PH' COMMENT 'Mo-Fr,Su,PH; PH: public holidays of the region (dialer_holidays), which belong to no other day',
    starts varchar(400) NOT NULL COMMENT 'time of day HH:MM[:SS]',
    stops varchar(400) NOT NULL COMMENT 'time of day HH:MM[:SS], 24:00 the day''s end',
    preset varchar(400) NULL COMMENT 'the preset that wrote the row; NULL: your own'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'when subscribers may be called, by their clock; of rows with the same scope and preset one must be open, and that for every scope that applies';

ALTER TABLE dialer_hours ADD COLUMN IF NOT EXISTS days varchar(8) NOT NULL DEFAULT ''
    COMMENT 'weekdays as eight digits, Monday to Sunday and public holidays; written by the dialer';

CREATE TABLE IF NOT EXISTS dialer_windows (
    project_id varchar(400) NOT NULL,
    window_key varchar(230) NOT NULL,
    is_open tinyint(1) NOT NULL,
    minutes int NOT NULL COMMENT 'its offset from UTC',
    opens_at timestamp(6) NULL DEFAULT NULL COMMENT 'when a closed one opens; NULL: not within 15 days',
    detail varchar(1000) NULL COMMENT 'what is closed',
    evaluated_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    changes_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    rules varchar(100) NOT NULL COMMENT 'the rules that it was found out by (dialer_rules_version)',
    PRIMARY KEY (project_id, window_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'which call windows are open, from evaluated_at to changes_at; found out by claims, gone when it is over';

CREATE TABLE IF NOT EXISTS dialer_holidays (
    region varchar(400) NOT NULL COMMENT 'country, or country and part of it, like DE-BY (ISO 3166-2)',
    day date NOT NULL,
    name varchar(1000) NOT NULL DEFAULT '',
    source varchar(400) NOT NULL DEFAULT 'own' COMMENT 'own: yours, kept when the others are renewed',
    PRIMARY KEY (region, day)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'public holidays';

CREATE TABLE IF NOT EXISTS dialer_prefixes (
    prefix varchar(400) NOT NULL PRIMARY KEY COMMENT 'E.164 without +; the longest that fits decides',
    country varchar(400) NULL COMMENT 'ISO 3166-1, two letters',
    region varchar(400) NULL COMMENT 'part of the country, like US-FL, where the prefix tells it',
    zones varchar(4000) NULL COMMENT 'IANA zones joined by &; NULL: it proves no place (mobile, toll-free)',
    source varchar(400) NOT NULL DEFAULT 'own' COMMENT 'own: yours, kept when the others are renewed'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'where numbers are, by how they begin';

CREATE TABLE IF NOT EXISTS dialer_places (
    prefix varchar(20) NOT NULL PRIMARY KEY,
    region varchar(40) NOT NULL,
    zones varchar(1000) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'dialer_prefixes as triggers on cases read it; written by dialer_screen alone, so that they lock nothing that people edit';

CREATE TABLE IF NOT EXISTS dialer_presets (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    preset varchar(400) NOT NULL,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(400) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(400) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    source varchar(1000) NOT NULL COMMENT 'the law or code',
    dated date NOT NULL COMMENT 'as of this day',
    sure varchar(400) NOT NULL COMMENT 'A: text or regulator, B: two secondary sources, C: one, or disputed',
    applied_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'the presets of rules that were applied, and to what';

CREATE TABLE IF NOT EXISTS dialer_caller_ids (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NULL COMMENT 'of this project alone; NULL: any',
    client varchar(400) NULL COMMENT 'of this client''s projects alone (dialer_params.client); NULL: any',
    region varchar(40) NULL COMMENT 'cases of this country (US) or part of it (US-FL); NULL: any',
    purpose varchar(40) NULL COMMENT 'sales, debt, research or service (dialer_params.purpose); NULL: any',
    caller_id varchar(400) NOT NULL COMMENT 'number or Name <number>',
    prefix varchar(40) NULL COMMENT 'for numbers that begin so (E.164 without +); NULL: any',
    most_per_day int NULL COMMENT 'most calls in 24 hours that show this number, of all projects; of several rows with one number the least holds; NULL: no cap',
    number varchar(200) NOT NULL DEFAULT '' INVISIBLE
        COMMENT 'the number in caller_id, in one form (dialer_caller_id_number); written by the dialer'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'numbers that calls are shown to come from';
CREATE INDEX IF NOT EXISTS dialer_caller_ids_number ON dialer_caller_ids (number);

CREATE TABLE IF NOT EXISTS dialer_caller_id_states (
    number varchar(200) NOT NULL PRIMARY KEY
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'a row for each caller ID with a cap: whoever begins calls locks it, so that two do not both make the last one (dialer_caller_id_lock)';

CREATE TABLE IF NOT EXISTS dialer_case_numbers (
    case_id bigint NOT NULL COMMENT 'dialer_clients.id',
    place int NOT NULL COMMENT '2 to 20, in the order of dialling; 1, phone_number itself, is written by the dialer while another one is dialled',
    phone_number varchar(400) NOT NULL COMMENT 'as written',
    number varchar(400) NOT NULL DEFAULT '' COMMENT 'in one form; written by the dialer',
    label varchar(400) NOT NULL DEFAULT '' COMMENT 'home, work, …',
    case_inserted_at timestamp(6) NOT NULL DEFAULT '1971-01-01 00:00:00'
        COMMENT 'dialer_clients.inserted_at: another case that gets the id has other numbers; written by the dialer',
    PRIMARY KEY (case_id, place, case_inserted_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'further numbers of a case, tried after phone_number';
-- dialer_number_rules, dialer_import_check: the cases of a number
CREATE INDEX IF NOT EXISTS dialer_case_numbers_number ON dialer_case_numbers (number);

CREATE TABLE IF NOT EXISTS dialer_forgotten (
    session bigint NOT NULL,
    project_id varchar(400) NOT NULL,
    begun_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'the latest begun_at of those that a limit may have counted',
    noted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'when begun_at became this one',
    PRIMARY KEY (session, project_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'attempts that were deleted from dialer_attempts, for dialer_warnings: limits do not count them any more; a row per session, so that nobody waits for another one';

CREATE TABLE IF NOT EXISTS dialer_imports (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    project_id varchar(400) NOT NULL,
    file_name varchar(1000) NOT NULL,
    file_hash varchar(64) NOT NULL COMMENT 'SHA-256 of its content',
    options longtext NOT NULL COMMENT 'how its columns were read, JSON; a resumed import reads them in the same way',
    in_file varchar(10) NOT NULL COMMENT 'numbers that an earlier line of the file has: keep, skip or refuse',
    in_project varchar(10) NOT NULL COMMENT 'numbers that the project has already: keep, skip or refuse',
    elsewhere varchar(10) NOT NULL COMMENT 'numbers that other projects have: keep, skip or refuse',
    done_to bigint NOT NULL DEFAULT 0 COMMENT 'the last line of the file that is settled: inserted, refused or skipped',
    inserted bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    undone bigint NOT NULL DEFAULT 0 COMMENT 'cases that were deleted again by dialer import --undo',
    first_case_id bigint NULL COMMENT 'all its cases have ids from here …',
    last_case_id bigint NULL COMMENT '… to here; others may lie between',
    begun_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    moved_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'when done_to was written',
    ended_at timestamp(6) NULL DEFAULT NULL COMMENT 'NULL: not read to the end yet; dialer import --resume goes on',
    undone_at timestamp(6) NULL DEFAULT NULL,
    -- was this file imported before?
    KEY dialer_imports_file (file_hash)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'lists that were imported from files (dialer import)';

-- Down: the rules, and what the dialer has noted by them, go.
-- This trigger notes in a table that goes; a DELETE that finds no row opens it, too.
DROP TRIGGER IF EXISTS dialer_settings_after_delete;
DELETE FROM dialer_settings WHERE name IN ('country', 'wrong_number_codes');
DROP TABLE IF EXISTS dialer_imports;
-- As above.
DROP TRIGGER IF EXISTS dialer_attempts_after_delete;
DROP TABLE IF EXISTS dialer_forgotten;
DROP TABLE IF EXISTS dialer_case_numbers;
DROP TABLE IF EXISTS dialer_caller_id_states;
DROP TABLE IF EXISTS dialer_caller_ids;
DROP TABLE IF EXISTS dialer_presets;
DROP TABLE IF EXISTS dialer_places;
DROP TABLE IF EXISTS dialer_prefixes;
DROP TABLE IF EXISTS dialer_holidays;
DROP TABLE IF EXISTS dialer_windows;
DROP TABLE IF EXISTS dialer_hours;
DROP TABLE IF EXISTS dialer_retries;
DROP TABLE IF EXISTS dialer_pauses;
DROP TABLE IF EXISTS dialer_limits;
DROP TABLE IF EXISTS dialer_number_pauses;
DROP TABLE IF EXISTS dialer_dnc_lengths;
DROP TABLE IF EXISTS dialer_dnc;
DROP TABLE IF EXISTS dialer_rule_changes;
DROP TABLE IF EXISTS dialer_screening;
DROP TABLE IF EXISTS dialer_numbering;
DROP TABLE IF EXISTS dialer_countries;
ALTER TABLE dialer_params
    DROP COLUMN IF EXISTS client,
    DROP COLUMN IF EXISTS purpose,
    DROP COLUMN IF EXISTS country,
    DROP COLUMN IF EXISTS zone_by,
    DROP COLUMN IF EXISTS most_attempts,
    DROP COLUMN IF EXISTS message,
    DROP COLUMN IF EXISTS message_field,
    DROP COLUMN IF EXISTS key_repeat,
    DROP COLUMN IF EXISTS key_agent,
    DROP COLUMN IF EXISTS key_opt_out,
    DROP COLUMN IF EXISTS opt_out_scope,
    DROP COLUMN IF EXISTS scrubbed_at,
    DROP COLUMN IF EXISTS scrub_days,
    DROP COLUMN IF EXISTS scrub_blocks,
    DROP COLUMN IF EXISTS scoped_at;
ALTER TABLE dialer_attempts DROP COLUMN IF EXISTS keys_pressed, DROP COLUMN IF EXISTS window_key;
ALTER TABLE dialer_calls DROP COLUMN IF EXISTS keys_pressed, DROP COLUMN IF EXISTS window_key;
DROP INDEX IF EXISTS dialer_attempts_caller_id ON dialer_attempts;
ALTER TABLE dialer_attempts DROP COLUMN IF EXISTS caller_id;
DROP INDEX IF EXISTS dialer_calls_caller_id ON dialer_calls;
ALTER TABLE dialer_calls DROP COLUMN IF EXISTS caller_id;
DROP INDEX IF EXISTS dialer_attempts_number ON dialer_attempts;
ALTER TABLE dialer_attempts
    DROP COLUMN IF EXISTS number,
    DROP COLUMN IF EXISTS number_place,
    DROP COLUMN IF EXISTS reach;
UPDATE dialer_attempts SET effect = 'redial' WHERE effect = 'moved';
ALTER TABLE dialer_attempts
    MODIFY COLUMN effect varchar(20) NOT NULL COMMENT 'what its end did to the case'
        CHECK (effect IN ('used', 'redial', 'back', 'kept'));
DROP INDEX IF EXISTS dialer_calls_number ON dialer_calls;
ALTER TABLE dialer_calls
    DROP COLUMN IF EXISTS number,
    DROP COLUMN IF EXISTS number_place,
    DROP COLUMN IF EXISTS reach;
UPDATE dialer_calls SET effect = 'redial' WHERE effect = 'moved';
ALTER TABLE dialer_calls
    MODIFY COLUMN effect varchar(20) NULL COMMENT 'what its end did to the case'
        CHECK (effect IN ('used', 'redial', 'back', 'kept'));
-- Two forms of one telephone may have become one row; that is what they are dialled as.
ALTER TABLE dialer_live CHANGE COLUMN IF EXISTS number phone_number varchar(400) NOT NULL;
-- Calls under way count by what is dialled, or their lines would be taken for ever.
DELETE l
FROM dialer_live l
JOIN dialer_calls a ON a.id = l.attempt_id
JOIN dialer_calls b ON b.phone_number = a.phone_number AND b.id < a.id
JOIN dialer_live o ON o.attempt_id = b.id;
UPDATE dialer_live l JOIN dialer_calls a ON a.id = l.attempt_id SET l.phone_number = a.phone_number;
ALTER TABLE dialer_abandoned CHANGE COLUMN IF EXISTS number phone_number varchar(400) NOT NULL;
DROP INDEX IF EXISTS dialer_clients_held ON dialer_clients;
DROP INDEX IF EXISTS dialer_clients_number ON dialer_clients;
ALTER TABLE dialer_clients DROP COLUMN IF EXISTS waits_for;
ALTER TABLE dialer_clients
    MODIFY COLUMN window_key varchar(82)
        AS (concat(left(coalesce(utc, ''), 64), '|', left(allowed_start, 8), '|', left(allowed_stop, 8))) PERSISTENT INVISIBLE
        COMMENT 'cases with one key open and close together',
    MODIFY COLUMN waits_as varchar(9)
        AS (CASE
            WHEN used OR checked THEN NULL
            WHEN deferred_time IS NULL OR deferred_done THEN 'fresh'
            ELSE deferred_kind
        END) PERSISTENT INVISIBLE
        COMMENT 'fresh, scheduled or redial; NULL: does not wait';
ALTER TABLE dialer_clients
    DROP COLUMN IF EXISTS number,
    DROP COLUMN IF EXISTS number_place,
    DROP COLUMN IF EXISTS region,
    DROP COLUMN IF EXISTS number_region,
    DROP COLUMN IF EXISTS zones,
    DROP COLUMN IF EXISTS fields,
    DROP COLUMN IF EXISTS import_id,
    DROP COLUMN IF EXISTS held_for,
    DROP COLUMN IF EXISTS held_until;
CREATE INDEX IF NOT EXISTS dialer_clients_number ON dialer_clients (phone_number);
