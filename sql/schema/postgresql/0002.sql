-- Rules as rows: whom we may call, when, how often; and one form for every number.
-- Scope of a rule, in every rule table: project_id, client, region, purpose; NULL means any, all four must match.

-- A case: its number in one form, where it is, what else the list knew, what holds it back.
ALTER TABLE dialer_clients
    ADD COLUMN number varchar NOT NULL DEFAULT '',
    ADD COLUMN number_place int NOT NULL DEFAULT 1 CHECK (number_place >= 1),
    ADD COLUMN region varchar NULL,
    ADD COLUMN number_region varchar NULL,
    ADD COLUMN zones varchar NULL,
    ADD COLUMN fields jsonb NULL,
    ADD COLUMN import_id int8 NULL,
    ADD COLUMN held_for varchar NULL,
    ADD COLUMN held_until timestamptz NULL CHECK (held_until BETWEEN '1970-01-01 00:00:00Z' AND '2038-01-19 00:00:00Z');
COMMENT ON COLUMN dialer_clients.number IS 'the number that is dialled next, in one form, E.164 where its country is known (dialer_number); written by the dialer';
COMMENT ON COLUMN dialer_clients.number_place IS 'which of the case''s numbers is dialled next; 1: phone_number';
COMMENT ON COLUMN dialer_clients.region IS 'where the subscriber''s address is: country, or country and part, like US-FL (ISO 3166-2)';
COMMENT ON COLUMN dialer_clients.number_region IS 'where the number says that it is; written by the dialer';
COMMENT ON COLUMN dialer_clients.zones IS 'the zones of the number, joined by &; written by the dialer';
COMMENT ON COLUMN dialer_clients.fields IS 'what else the list knew: a JSON object';
COMMENT ON COLUMN dialer_clients.import_id IS 'the import that brought the case (dialer_imports); NULL: none did';
COMMENT ON COLUMN dialer_clients.held_for IS 'the rule that keeps the case back; NULL: none, as far as was looked. A lower bound: claim and begin ask the rules';
COMMENT ON COLUMN dialer_clients.held_until IS 'until when it keeps it back; NULL: until a rule changes';
-- Its indexes go with it.
ALTER TABLE dialer_clients DROP COLUMN window_key;
ALTER TABLE dialer_clients ADD COLUMN window_key varchar COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (coalesce(utc, '') || '|' || allowed_start || '|' || allowed_stop || '|' || coalesce(zones, '')
        || '|' || coalesce(region, '') || '|' || coalesce(number_region, '')) STORED;
COMMENT ON COLUMN dialer_clients.window_key IS 'cases with one key open and close together';
UPDATE dialer_clients SET number = phone_number;
-- dialer_pick: fresh cases of one call window in the order of sort
CREATE INDEX dialer_clients_fresh_created ON dialer_clients (project_id, window_key, created, id)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_priority ON dialer_clients (project_id, window_key, priority, id)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND (deferred_time IS NULL OR deferred_done);
-- ... with sort 3:1 and 3:2: inside a window only the id orders; dialer_why_count, dialer_project_until
CREATE INDEX dialer_clients_fresh_id ON dialer_clients (project_id, window_key, id) INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_both ON dialer_clients (project_id, window_key, priority, created, id)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND (deferred_time IS NULL OR deferred_done);
-- dialer_pick: promised callbacks and redials
CREATE INDEX dialer_clients_deferred ON dialer_clients (project_id, deferred_kind, window_key, deferred_time, id)
    INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND deferred_time IS NOT NULL AND NOT deferred_done;
-- dialer_project_until: when a delayed case may go
CREATE INDEX dialer_clients_delayed ON dialer_clients (project_id, window_key, not_before_at)
    WHERE NOT used AND NOT checked AND held_for IS NULL AND not_before_at IS NOT NULL;
-- held cases: those whose time has come, and how many there are
CREATE INDEX dialer_clients_held ON dialer_clients (project_id, held_until) INCLUDE (held_for)
    WHERE NOT used AND NOT checked AND held_for IS NOT NULL;
DROP INDEX dialer_clients_number;
-- the cases of a number
CREATE INDEX dialer_clients_number ON dialer_clients (number);

ALTER TABLE dialer_live RENAME COLUMN phone_number TO number;
ALTER TABLE dialer_abandoned RENAME COLUMN phone_number TO number;
ALTER TABLE dialer_calls ADD COLUMN number varchar NOT NULL DEFAULT '';
UPDATE dialer_calls SET number = phone_number;
CREATE INDEX dialer_calls_number ON dialer_calls (number);
ALTER TABLE dialer_calls ADD COLUMN keys_pressed varchar NULL;
ALTER TABLE dialer_attempts ADD COLUMN number varchar NOT NULL DEFAULT '';
UPDATE dialer_attempts SET number = phone_number;
ALTER TABLE dialer_calls ADD COLUMN reach int NOT NULL
        GENERATED ALWAYS AS (CASE
            WHEN outcome IN ('FAILED', 'CANCELLED', 'TECHNICAL') AND coalesce(ringing_at, answered_at) IS NULL THEN 0
            WHEN outcome = 'FAILED' THEN 0
            WHEN answered_at IS NULL OR outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN 1
            WHEN agent_at IS NULL AND played_at IS NULL THEN 2
            ELSE 3
        END) STORED;
ALTER TABLE dialer_attempts ADD COLUMN reach int NOT NULL
        GENERATED ALWAYS AS (CASE
            WHEN outcome IN ('FAILED', 'CANCELLED', 'TECHNICAL') AND coalesce(ringing_at, answered_at) IS NULL THEN 0
            WHEN outcome = 'FAILED' THEN 0
            WHEN answered_at IS NULL OR outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN 1
            WHEN agent_at IS NULL AND played_at IS NULL THEN 2
            ELSE 3
        END) STORED;
COMMENT ON COLUMN dialer_attempts.reach IS 'what it counts as in dialer_limits: 0 nothing, 1 an attempt, 2 connected (a person answered), 3 a conversation (with an agent, or the message heard)';
ALTER TABLE dialer_attempts ADD COLUMN keys_pressed varchar NULL;
COMMENT ON COLUMN dialer_attempts.keys_pressed IS 'the keys that the subscriber pressed, in order; at most 40';
-- limits: the latest attempts of a number
CREATE INDEX dialer_attempts_number ON dialer_attempts (number, begun_at);
COMMENT ON COLUMN dialer_attempts.number IS 'the number that was dialled, in the form that it was begun with (dialer_number)';
ALTER TABLE dialer_calls
    ADD COLUMN number_place int NOT NULL DEFAULT 1,
    DROP CONSTRAINT dialer_calls_effect_check,
    ADD CONSTRAINT dialer_calls_effect_check CHECK (effect IN ('used', 'redial', 'moved', 'back', 'kept'));
ALTER TABLE dialer_attempts
    ADD COLUMN number_place int NOT NULL DEFAULT 1,
    DROP CONSTRAINT dialer_attempts_effect_check,
    ADD CONSTRAINT dialer_attempts_effect_check CHECK (effect IN ('used', 'redial', 'moved', 'back', 'kept'));
COMMENT ON COLUMN dialer_attempts.number_place IS 'which of the case''s numbers was dialled; 1: phone_number';
ALTER TABLE dialer_calls ADD COLUMN caller_id varchar NULL;
ALTER TABLE dialer_attempts ADD COLUMN caller_id varchar NULL;
COMMENT ON COLUMN dialer_calls.caller_id IS 'the number that the call shows, in one form (dialer_caller_id_number); NULL: the trunk''s';
ALTER TABLE dialer_calls ADD COLUMN window_key varchar COLLATE "C" NULL;
ALTER TABLE dialer_attempts ADD COLUMN window_key varchar COLLATE "C" NULL;
COMMENT ON COLUMN dialer_attempts.window_key IS 'dialer_clients.window_key when it began: another one by now means that the rules went by other facts then (dialer_rule_breaches)';
COMMENT ON COLUMN dialer_attempts.caller_id IS 'the number that the call showed, in one form (dialer_caller_id_number); NULL: the trunk''s';
-- dialer_caller_id_room: the latest calls that showed a number
CREATE INDEX dialer_calls_caller_id ON dialer_calls (caller_id, begun_at) WHERE caller_id IS NOT NULL;
CREATE INDEX dialer_attempts_caller_id ON dialer_attempts (caller_id, begun_at) WHERE caller_id IS NOT NULL;

CREATE TABLE dialer_rule_changes (
    id bigserial NOT NULL PRIMARY KEY,
    number varchar NULL,
    numbers bool NOT NULL DEFAULT false
);
COMMENT ON COLUMN dialer_rule_changes.numbers IS 'numbers may mean something else since, or be somewhere else; with a number: its cases could not be written then';
COMMENT ON COLUMN dialer_rule_changes.number IS 'the change concerns this number alone; NULL: all cases';
COMMENT ON TABLE dialer_rule_changes IS 'a row for each change of rules that dialer_screen has not looked at yet; rows are only added and taken away, so that nobody waits';
-- dialer_rules_version
CREATE INDEX dialer_rule_changes_all ON dialer_rule_changes (id) WHERE number IS NULL;
INSERT INTO dialer_rule_changes (numbers) VALUES (true);

-- Numbering plans, from phonenumbers (make data).
CREATE TABLE dialer_countries (
    country varchar NOT NULL PRIMARY KEY,
    code varchar NOT NULL,
    trunk_prefix varchar NULL,
    international_prefix varchar NOT NULL,
    lengths varchar NOT NULL
);
COMMENT ON TABLE dialer_countries IS 'how numbers are written in each country, from the phonenumbers library';
COMMENT ON COLUMN dialer_countries.country IS 'ISO 3166-1, two letters';
COMMENT ON COLUMN dialer_countries.code IS 'country code, without +';
COMMENT ON COLUMN dialer_countries.lengths IS 'how many digits its numbers have without country code and trunk prefix, like |9|10|';

CREATE TABLE dialer_numbering (
    project_id varchar NOT NULL PRIMARY KEY,
    country varchar NULL
);
COMMENT ON TABLE dialer_numbering IS 'by which country''s plan the numbers of a project''s cases are read, row '''': those without a row; written by dialer_screen alone, so that triggers on cases lock nothing that people edit';

CREATE TABLE dialer_screening (
    id int NOT NULL PRIMARY KEY CHECK (id = 1),
    looked_to int8 NOT NULL DEFAULT 0,
    attempts_to int8 NOT NULL DEFAULT 0,
    pauses_to int8 NOT NULL DEFAULT 0,
    looked_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00Z',
    passes int8 NOT NULL DEFAULT 0,
    numbers bool NOT NULL DEFAULT true,
    numbers_to int8 NOT NULL DEFAULT 0
);
COMMENT ON TABLE dialer_screening IS 'one row: how far dialer_screen has looked at the cases since rules changed';
COMMENT ON COLUMN dialer_screening.looked_to IS 'the last case (its id) that was looked at; new ones come after it';
COMMENT ON COLUMN dialer_screening.attempts_to IS 'the last attempt (its id) after which the cases of its number were looked at';
COMMENT ON COLUMN dialer_screening.pauses_to IS 'the same of dialer_number_pauses';
COMMENT ON COLUMN dialer_screening.numbers_to IS 'the last case (its id) whose further numbers were looked at: has it been deleted?';
COMMENT ON COLUMN dialer_screening.passes IS 'how often rules had changed';
COMMENT ON COLUMN dialer_screening.numbers IS 'numbers are looked at, too, until all cases have been';
COMMENT ON COLUMN dialer_screening.looked_at IS 'when dialer_screen was called last: a rule that has begun since is a changed rule';
INSERT INTO dialer_screening (id) VALUES (1);

ALTER TABLE dialer_params
    ADD COLUMN client varchar NULL,
    ADD COLUMN purpose varchar NOT NULL DEFAULT 'sales',
    ADD COLUMN country varchar NULL,
    ADD COLUMN zone_by varchar NOT NULL DEFAULT 'project',
    ADD COLUMN most_attempts int NULL,
    ADD COLUMN message varchar NULL,
    ADD COLUMN message_field varchar NULL,
    ADD COLUMN key_repeat varchar NULL,
    ADD COLUMN key_agent varchar NULL,
    ADD COLUMN key_opt_out varchar NULL,
    ADD COLUMN opt_out_scope varchar NOT NULL DEFAULT 'all',
    ADD COLUMN scrubbed_at timestamptz NULL,
    ADD COLUMN scrub_days int NULL,
    ADD COLUMN scrub_blocks bool NOT NULL DEFAULT false,
    ADD COLUMN scoped_at timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN dialer_params.client IS 'on whose behalf it calls; rules may be of a client';
COMMENT ON COLUMN dialer_params.purpose IS 'sales, debt, research or service; rules may be of a purpose';
COMMENT ON COLUMN dialer_params.country IS 'by whose numbering plan its numbers are read (ISO 3166-1, two letters); NULL: country in dialer_settings';
COMMENT ON COLUMN dialer_params.zone_by IS 'zone of cases without utc: project (its zone, else the number''s) or number (all zones of the number must be open, else the project''s)';
COMMENT ON COLUMN dialer_params.most_attempts IS 'most attempts on a case since it was fresh or brought back, whatever dialer_retries says; NULL: no cap';
COMMENT ON COLUMN dialer_params.message IS 'the recording that is played, as Asterisk names it, without its ending; NULL: the one in the context';
COMMENT ON COLUMN dialer_params.message_field IS 'the value of a case''s fields that names its own recording; where it has none, or no name of a file, message';
COMMENT ON COLUMN dialer_params.key_repeat IS 'the key with which a subscriber hears the message again: 0-9, * or #; NULL: not offered';
COMMENT ON COLUMN dialer_params.key_agent IS 'the key for an agent of the queue; NULL: not offered';
COMMENT ON COLUMN dialer_params.key_opt_out IS 'the key for: never call me again (dialer_dnc); NULL: not offered';
COMMENT ON COLUMN dialer_params.opt_out_scope IS 'who must not call a subscriber who opted out: all, the projects of this client (client), or this project alone (project)';
COMMENT ON COLUMN dialer_params.scrubbed_at IS 'when all its waiting cases were compared with the do-not-call registry; NULL: nobody has noted it';
COMMENT ON COLUMN dialer_params.scrub_days IS 'for so many days of 24 hours from scrubbed_at on its cases may be called; NULL: no rule';
COMMENT ON COLUMN dialer_params.scrub_blocks IS 'whether cases of a list that is too old are not called; otherwise dialer_warnings says so';
COMMENT ON COLUMN dialer_params.scoped_at IS 'since when client, purpose, zone and zone_by are as they are; written by the dialer (dialer_rule_breaches)';
INSERT INTO dialer_settings (name, value, description) VALUES
    ('country', '', 'by whose numbering plan numbers are read where a project names none, two letters like RU; empty: as written'),
    ('wrong_number_codes', 'wrong number', 'codes of agents, by commas, that say that the number is not the subscriber''s');

-- Rules.
CREATE TABLE dialer_dnc (
    id bigserial NOT NULL PRIMARY KEY,
    number varchar NOT NULL,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    reason varchar NOT NULL DEFAULT '',
    from_at timestamptz NULL,
    until_at timestamptz NULL,
    attempt_id int8 NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dialer_dnc IS 'numbers that must not be called';
COMMENT ON COLUMN dialer_dnc.number IS 'E.164, or a prefix of it with * at the end; without + it is read by its project''s country, else by country in dialer_settings';
COMMENT ON COLUMN dialer_dnc.reason IS 'why; shown where the number is refused';
COMMENT ON COLUMN dialer_dnc.from_at IS 'holds from then on; NULL: at once';
COMMENT ON COLUMN dialer_dnc.until_at IS 'holds until then; NULL: for ever';
COMMENT ON COLUMN dialer_dnc.attempt_id IS 'the call in which the subscriber asked for it';
COMMENT ON COLUMN dialer_dnc.added_at IS 'when it was written, or changed last; of an opt-out, when the key was pressed';
CREATE INDEX dialer_dnc_number ON dialer_dnc (number);
-- dialer_opt_out: the same opt-out again is the same row; dialer_case_settle
CREATE UNIQUE INDEX dialer_dnc_attempt ON dialer_dnc (attempt_id, number) WHERE attempt_id IS NOT NULL;

-- dialer_screen: entries that begin later
CREATE INDEX dialer_dnc_from ON dialer_dnc (from_at) WHERE from_at IS NOT NULL;

CREATE TABLE dialer_dnc_lengths (
    length int NOT NULL PRIMARY KEY
);
COMMENT ON TABLE dialer_dnc_lengths IS 'how long the prefixes of dialer_dnc are, without *; 0: whole numbers';
INSERT INTO dialer_dnc_lengths (length) VALUES (0);

CREATE TABLE dialer_limits (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    keyed_by varchar NOT NULL DEFAULT 'number',
    counts varchar NOT NULL DEFAULT 'attempts',
    most int NOT NULL,
    period_minutes int NULL,
    local_period varchar NULL,
    callbacks bool NOT NULL DEFAULT false,
    preset varchar NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dialer_limits IS 'most calls of a number (or a case) in a period; a gap is a limit of one';
COMMENT ON COLUMN dialer_limits.keyed_by IS 'number: calls of the number, in all projects of the scope; case: calls of the case';
COMMENT ON COLUMN dialer_limits.counts IS 'attempts; connected: answered by a person; conversations: with an agent, or the message heard';
COMMENT ON COLUMN dialer_limits.most IS 'so many are allowed; the next one waits';
COMMENT ON COLUMN dialer_limits.period_minutes IS 'in so many minutes before the call';
COMMENT ON COLUMN dialer_limits.local_period IS 'day, week (from Monday) or month, by the subscriber''s clock; neither: over the whole campaign';
COMMENT ON COLUMN dialer_limits.callbacks IS 'binds callbacks promised to the subscriber, too';
COMMENT ON COLUMN dialer_limits.preset IS 'the preset that wrote the row; NULL: your own';
COMMENT ON COLUMN dialer_limits.added_at IS 'when it was written, or changed last';

CREATE TABLE dialer_pauses (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    outcome varchar NULL,
    disposition varchar NULL,
    period_minutes int NOT NULL,
    callbacks bool NOT NULL DEFAULT false,
    preset varchar NULL
);
COMMENT ON TABLE dialer_pauses IS 'how long a number rests after an outcome or a disposition';
COMMENT ON COLUMN dialer_pauses.outcome IS 'after this outcome (dialer_outcomes) …';
COMMENT ON COLUMN dialer_pauses.disposition IS '… or this code of the agent; one of the two';
COMMENT ON COLUMN dialer_pauses.period_minutes IS 'from the end of that call';
COMMENT ON COLUMN dialer_pauses.callbacks IS 'binds callbacks promised to the subscriber, too';
COMMENT ON COLUMN dialer_pauses.preset IS 'the preset that wrote the row; NULL: your own';

CREATE TABLE dialer_number_pauses (
    id bigserial NOT NULL PRIMARY KEY,
    number varchar NOT NULL,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    callbacks bool NOT NULL,
    until_at timestamptz NOT NULL,
    pause_id int8 NOT NULL,
    attempt_id int8 NOT NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE dialer_number_pauses IS 'numbers that rest now, written at the end of the call; they do not depend on the ledger';
COMMENT ON COLUMN dialer_number_pauses.pause_id IS 'the row of dialer_pauses, whose scope it has';
CREATE INDEX dialer_number_pauses_number ON dialer_number_pauses (number);
-- dialer_prune
CREATE INDEX dialer_number_pauses_until ON dialer_number_pauses (until_at);

CREATE TABLE dialer_retries (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    outcome varchar NULL,
    disposition varchar NULL,
    period_minutes int NOT NULL,
    most int NULL,
    other_part_of_day bool NOT NULL DEFAULT false,
    preset varchar NULL
);
COMMENT ON TABLE dialer_retries IS 'when a case is called again after an outcome or a disposition';
COMMENT ON COLUMN dialer_retries.outcome IS 'after this outcome (dialer_outcomes) …';
COMMENT ON COLUMN dialer_retries.disposition IS '… or this code of the agent; one of the two';
COMMENT ON COLUMN dialer_retries.period_minutes IS 'from the end of that call';
COMMENT ON COLUMN dialer_retries.most IS 'at most so many times; NULL: dialer_params.most_attempts alone ends it';
COMMENT ON COLUMN dialer_retries.other_part_of_day IS 'not in the part of the subscriber''s day of that call: before 12, 12 to 17, from 17';
COMMENT ON COLUMN dialer_retries.preset IS 'the preset that wrote the row; NULL: your own';

CREATE TABLE dialer_hours (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    weekdays varchar NOT NULL DEFAULT 'Mo-Su,PH',
    starts varchar NOT NULL,
    stops varchar NOT NULL,
    preset varchar NULL
);
COMMENT ON TABLE dialer_hours IS 'when subscribers may be called, by their clock; of rows with the same scope and preset one must be open, and that for every scope that applies';
COMMENT ON COLUMN dialer_hours.weekdays IS 'Mo-Fr,Su,PH; PH: public holidays of the region (dialer_holidays), which belong to no other day';
COMMENT ON COLUMN dialer_hours.starts IS 'time of day HH:MM[:SS]';
COMMENT ON COLUMN dialer_hours.stops IS 'time of day HH:MM[:SS], 24:00 the day''s end';
COMMENT ON COLUMN dialer_hours.preset IS 'the preset that wrote the row; NULL: your own';

ALTER TABLE dialer_hours ADD COLUMN days varchar NOT NULL DEFAULT '';
COMMENT ON COLUMN dialer_hours.days IS 'weekdays as eight digits, Monday to Sunday and public holidays; written by the dialer';

CREATE TABLE dialer_windows (
    project_id varchar NOT NULL,
    window_key varchar COLLATE "C" NOT NULL,
    is_open bool NOT NULL,
    minutes int NOT NULL,
    opens_at timestamptz NULL,
    detail varchar NULL,
    evaluated_at timestamptz NOT NULL,
    changes_at timestamptz NOT NULL,
    rules varchar NOT NULL,
    PRIMARY KEY (project_id, window_key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_windows IS 'which call windows are open, from evaluated_at to changes_at; found out by claims, gone when it is over';
COMMENT ON COLUMN dialer_windows.minutes IS 'its offset from UTC';
COMMENT ON COLUMN dialer_windows.opens_at IS 'when a closed one opens; NULL: not within 15 days';
COMMENT ON COLUMN dialer_windows.detail IS 'what is closed';
COMMENT ON COLUMN dialer_windows.rules IS 'the rules that it was found out by (dialer_rules_version)';

CREATE TABLE dialer_holidays (
    region varchar NOT NULL,
    day date NOT NULL,
    name varchar NOT NULL DEFAULT '',
    source varchar NOT NULL DEFAULT 'own',
    PRIMARY KEY (region, day)
);
COMMENT ON TABLE dialer_holidays IS 'public holidays';
COMMENT ON COLUMN dialer_holidays.region IS 'country, or country and part of it, like DE-BY (ISO 3166-2)';
COMMENT ON COLUMN dialer_holidays.source IS 'own: yours, kept when the others are renewed';

CREATE TABLE dialer_prefixes (
    prefix varchar NOT NULL PRIMARY KEY,
    country varchar NULL,
    region varchar NULL,
    zones varchar NULL,
    source varchar NOT NULL DEFAULT 'own'
);
COMMENT ON TABLE dialer_prefixes IS 'where numbers are, by how they begin';
COMMENT ON COLUMN dialer_prefixes.prefix IS 'E.164 without +; the longest that fits decides';
COMMENT ON COLUMN dialer_prefixes.country IS 'ISO 3166-1, two letters';
COMMENT ON COLUMN dialer_prefixes.region IS 'part of the country, like US-FL, where the prefix tells it';
COMMENT ON COLUMN dialer_prefixes.zones IS 'IANA zones joined by &; NULL: it proves no place (mobile, toll-free)';
COMMENT ON COLUMN dialer_prefixes.source IS 'own: yours, kept when the others are renewed';

CREATE TABLE dialer_presets (
    id bigserial NOT NULL PRIMARY KEY,
    preset varchar NOT NULL,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    source varchar NOT NULL,
    dated date NOT NULL,
    sure varchar NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dialer_presets IS 'the presets of rules that were applied, and to what';
COMMENT ON COLUMN dialer_presets.source IS 'the law or code';
COMMENT ON COLUMN dialer_presets.dated IS 'as of this day';
COMMENT ON COLUMN dialer_presets.sure IS 'A: text or regulator, B: two secondary sources, C: one, or disputed';

CREATE TABLE dialer_caller_ids (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NULL,
    client varchar NULL,
    region varchar NULL,
    purpose varchar NULL,
    caller_id varchar NOT NULL,
    prefix varchar NULL,
    most_per_day int NULL,
    number varchar NOT NULL
);
COMMENT ON TABLE dialer_caller_ids IS 'numbers that calls are shown to come from';
COMMENT ON COLUMN dialer_caller_ids.caller_id IS 'number or Name <number>';
COMMENT ON COLUMN dialer_caller_ids.prefix IS 'for numbers that begin so (E.164 without +); NULL: any';
COMMENT ON COLUMN dialer_caller_ids.most_per_day IS 'most calls in 24 hours that show this number, of all projects; of several rows with one number the least holds; NULL: no cap';
COMMENT ON COLUMN dialer_caller_ids.number IS 'the number in caller_id, in one form (dialer_caller_id_number); written by the dialer';
CREATE INDEX dialer_caller_ids_number ON dialer_caller_ids (number);

CREATE TABLE dialer_caller_id_states (
    number varchar NOT NULL PRIMARY KEY
);
COMMENT ON TABLE dialer_caller_id_states IS 'a row for each caller ID with a cap: whoever begins calls locks it, so that two do not both make the last one (dialer_caller_id_lock)';

CREATE TABLE dialer_case_numbers (
    case_id int8 NOT NULL,
    place int NOT NULL,
    phone_number varchar NOT NULL,
    number varchar NOT NULL DEFAULT '',
    label varchar NOT NULL DEFAULT '',
    case_inserted_at timestamptz NOT NULL DEFAULT '1971-01-01 00:00:00Z',
    PRIMARY KEY (case_id, place, case_inserted_at)
);
COMMENT ON TABLE dialer_case_numbers IS 'further numbers of a case, tried after phone_number';
COMMENT ON COLUMN dialer_case_numbers.case_id IS 'dialer_clients.id';
COMMENT ON COLUMN dialer_case_numbers.place IS '2 to 20, in the order of dialling; 1, phone_number itself, is written by the dialer while another one is dialled';
COMMENT ON COLUMN dialer_case_numbers.case_inserted_at IS 'dialer_clients.inserted_at: another case that gets the id has other numbers; written by the dialer';
COMMENT ON COLUMN dialer_case_numbers.phone_number IS 'as written';
COMMENT ON COLUMN dialer_case_numbers.number IS 'in one form; written by the dialer';
COMMENT ON COLUMN dialer_case_numbers.label IS 'home, work, …';
-- dialer_number_rules, dialer_import_check: the cases of a number
CREATE INDEX dialer_case_numbers_number ON dialer_case_numbers (number);

CREATE TABLE dialer_forgotten (
    session int8 NOT NULL,
    project_id varchar NOT NULL,
    begun_at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (session, project_id)
);
COMMENT ON TABLE dialer_forgotten IS 'attempts that were deleted from dialer_attempts, for dialer_warnings: limits do not count them any more; a row per session, so that nobody waits for another one';
COMMENT ON COLUMN dialer_forgotten.begun_at IS 'the latest begun_at of those that a limit may have counted';
COMMENT ON COLUMN dialer_forgotten.noted_at IS 'when begun_at became this one';

CREATE TABLE dialer_imports (
    id bigserial NOT NULL PRIMARY KEY,
    project_id varchar NOT NULL,
    file_name varchar NOT NULL,
    file_hash varchar NOT NULL,
    options varchar NOT NULL,
    in_file varchar NOT NULL,
    in_project varchar NOT NULL,
    elsewhere varchar NOT NULL,
    done_to int8 NOT NULL DEFAULT 0,
    inserted int8 NOT NULL DEFAULT 0,
    refused int8 NOT NULL DEFAULT 0,
    skipped int8 NOT NULL DEFAULT 0,
    undone int8 NOT NULL DEFAULT 0,
    first_case_id int8 NULL,
    last_case_id int8 NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    moved_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz NULL,
    undone_at timestamptz NULL
);
COMMENT ON TABLE dialer_imports IS 'lists that were imported from files (dialer import)';
COMMENT ON COLUMN dialer_imports.file_hash IS 'SHA-256 of its content';
COMMENT ON COLUMN dialer_imports.options IS 'how its columns were read, JSON; a resumed import reads them in the same way';
COMMENT ON COLUMN dialer_imports.in_file IS 'numbers that an earlier line of the file has: keep, skip or refuse';
COMMENT ON COLUMN dialer_imports.in_project IS 'numbers that the project has already: keep, skip or refuse';
COMMENT ON COLUMN dialer_imports.elsewhere IS 'numbers that other projects have: keep, skip or refuse';
COMMENT ON COLUMN dialer_imports.done_to IS 'the last line of the file that is settled: inserted, refused or skipped';
COMMENT ON COLUMN dialer_imports.undone IS 'cases that were deleted again by dialer import --undo';
COMMENT ON COLUMN dialer_imports.first_case_id IS 'all its cases have ids from here …';
COMMENT ON COLUMN dialer_imports.last_case_id IS '… to here; others may lie between';
COMMENT ON COLUMN dialer_imports.moved_at IS 'when done_to was written';
COMMENT ON COLUMN dialer_imports.ended_at IS 'NULL: not read to the end yet; dialer import --resume goes on';
-- was this file imported before?
CREATE INDEX dialer_imports_file ON dialer_imports (file_hash);

-- Down: the rules, and what the dialer has noted by them, go.
DROP TABLE IF EXISTS dialer_imports;
DROP TABLE IF EXISTS dialer_forgotten;
DROP TABLE IF EXISTS dialer_case_numbers;
DROP TABLE IF EXISTS dialer_caller_id_states;
DROP TABLE IF EXISTS dialer_caller_ids;
DROP TABLE IF EXISTS dialer_presets;
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
DELETE FROM dialer_settings WHERE name IN ('country', 'wrong_number_codes');
ALTER TABLE dialer_params
    DROP COLUMN client,
    DROP COLUMN purpose,
    DROP COLUMN country,
    DROP COLUMN zone_by,
    DROP COLUMN most_attempts,
    DROP COLUMN message,
    DROP COLUMN message_field,
    DROP COLUMN key_repeat,
    DROP COLUMN key_agent,
    DROP COLUMN key_opt_out,
    DROP COLUMN opt_out_scope,
    DROP COLUMN scrubbed_at,
    DROP COLUMN scrub_days,
    DROP COLUMN scrub_blocks,
    DROP COLUMN scoped_at;
UPDATE dialer_attempts SET effect = 'redial' WHERE effect = 'moved';
UPDATE dialer_calls SET effect = 'redial' WHERE effect = 'moved';
ALTER TABLE dialer_attempts
    DROP COLUMN number,
    DROP COLUMN number_place,
    DROP COLUMN reach,
    DROP COLUMN caller_id,
    DROP COLUMN keys_pressed,
    DROP COLUMN window_key,
    DROP CONSTRAINT dialer_attempts_effect_check,
    ADD CONSTRAINT dialer_attempts_effect_check CHECK (effect IN ('used', 'redial', 'back', 'kept'));
ALTER TABLE dialer_calls
    DROP COLUMN number,
    DROP COLUMN number_place,
    DROP COLUMN reach,
    DROP COLUMN caller_id,
    DROP COLUMN keys_pressed,
    DROP COLUMN window_key,
    DROP CONSTRAINT dialer_calls_effect_check,
    ADD CONSTRAINT dialer_calls_effect_check CHECK (effect IN ('used', 'redial', 'back', 'kept'));
-- Calls under way count by what is dialled, or their lines would be taken for ever.
DELETE FROM dialer_live l
USING dialer_calls a, dialer_live o, dialer_calls b
WHERE a.id = l.attempt_id AND b.id = o.attempt_id AND b.phone_number = a.phone_number AND b.id < a.id;
UPDATE dialer_live l SET number = a.phone_number FROM dialer_calls a WHERE a.id = l.attempt_id AND l.number <> a.phone_number;
-- Two forms of one telephone may have become one row; that is what they are dialled as.
ALTER TABLE dialer_live RENAME COLUMN number TO phone_number;
ALTER TABLE dialer_abandoned RENAME COLUMN number TO phone_number;
ALTER TABLE dialer_clients DROP COLUMN window_key;
ALTER TABLE dialer_clients
    DROP COLUMN number,
    DROP COLUMN number_place,
    DROP COLUMN region,
    DROP COLUMN number_region,
    DROP COLUMN zones,
    DROP COLUMN fields,
    DROP COLUMN import_id,
    DROP COLUMN held_for,
    DROP COLUMN held_until,
    ADD COLUMN window_key varchar COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (coalesce(utc, '') || '|' || allowed_start || '|' || allowed_stop) STORED;
COMMENT ON COLUMN dialer_clients.window_key IS 'cases with one key open and close together';
CREATE INDEX dialer_clients_fresh_created ON dialer_clients (project_id, window_key, created, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_priority ON dialer_clients (project_id, window_key, priority, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_id ON dialer_clients (project_id, window_key, id) INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_both ON dialer_clients (project_id, window_key, priority, created, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_deferred ON dialer_clients (project_id, deferred_kind, window_key, deferred_time, id)
    INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND deferred_time IS NOT NULL AND NOT deferred_done;
CREATE INDEX dialer_clients_delayed ON dialer_clients (project_id, window_key, not_before_at)
    WHERE NOT used AND NOT checked AND not_before_at IS NOT NULL;
CREATE INDEX dialer_clients_number ON dialer_clients (phone_number) WHERE NOT used AND NOT checked;
