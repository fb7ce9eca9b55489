-- The original's three tables with every column, and what stands around them.
-- No foreign keys to dialer_clients: a DBA's DELETE must neither wait for a call nor erase its history.
--
-- Every statement can be run again, since MariaDB commits each by itself. Names have lengths here; the columns are
-- longer than what is accepted, so that the sentence of the check refuses, not the server's. Collation: 'a', 'A' and
-- 'a ' are three names. Columns that the original's tables did not have are invisible in them: SELECT * and an
-- INSERT without a list of columns are what they were. Each timestamp says its default, or a server with 10.3's
-- settings gives the first one ON UPDATE.

CREATE TABLE IF NOT EXISTS dialer_settings (
    name varchar(400) NOT NULL PRIMARY KEY,
    value varchar(400) NOT NULL,
    description varchar(400) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_servers (
    identity varchar(400) NOT NULL PRIMARY KEY,
    added_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    note varchar(400) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'servers that calls may be begun from: workers refuse others, which may be copies';

CREATE TABLE IF NOT EXISTS dialer_clients (
    case_name varchar(2000) NOT NULL,
    project_id varchar(400) NOT NULL,
    phone_number varchar(400) NOT NULL,
    priority bigint NOT NULL DEFAULT 1 COMMENT '1 is the highest; dialled first with sort 1:2 (1:1 dials the largest number first)',
    utc varchar(400) NULL COMMENT 'subscriber''s offset (+03.00h, +3, +05:30, Z) or IANA zone (Europe/Moscow); NULL: the project''s zone, else the server''s',
    used tinyint(1) NOT NULL DEFAULT false COMMENT 'no further attempt will be made; set it to withdraw the case, clear it to bring it back',
    call_back tinyint(1) NOT NULL DEFAULT false,
    allowed_start varchar(400) NOT NULL DEFAULT '00:00:00' COMMENT 'subscriber''s local time HH:MM[:SS]; equal to allowed_stop: all day; later than allowed_stop: across midnight',
    allowed_stop varchar(400) NOT NULL DEFAULT '00:00:00',
    checked tinyint(1) NOT NULL DEFAULT false COMMENT 'in a worker''s hands now; a mirror of dialer_claims for readers',
    call_back_period varchar(1000) NULL COMMENT 'minutes before each redial, e.g. 1,1; the n-th after attempt n ended; only with call_back',
    deferred_time timestamp(6) NULL DEFAULT NULL COMMENT 'not before this instant; written by anybody but the dialer it is a scheduled callback',
    deferred_done tinyint(1) NOT NULL DEFAULT false,
    created timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    deferred_kind varchar(20) NULL INVISIBLE CHECK (deferred_kind IN ('scheduled', 'redial')),
    not_before_at timestamp(6) NULL DEFAULT NULL INVISIBLE
        COMMENT 'a delay of the dialer''s own after a call that could not be made',
    redials_done int NOT NULL DEFAULT 0 INVISIBLE CHECK (redials_done >= 0),
    failures int NOT NULL DEFAULT 0 INVISIBLE
        COMMENT 'calls in a row that could not be made on a working trunk; the tenth uses the case up'
        CHECK (failures >= 0),
    brought_back int NOT NULL DEFAULT 0 INVISIBLE COMMENT 'how often used was cleared' CHECK (brought_back >= 0),
    last_attempt_id bigint NULL INVISIBLE,
    tried_at timestamp(6) NULL DEFAULT NULL INVISIBLE
        COMMENT 'when it was dialled last, whatever became of that; while a trunk is failing who was tried longest ago is next',
    recall tinyint(1) NULL INVISIBLE COMMENT 'old name of call_back, taken over at INSERT and UPDATE',
    recall_period varchar(1000) NULL INVISIBLE COMMENT 'old name of call_back_period, taken over at INSERT and UPDATE',
    -- Cut to the longest that is accepted: an index key has a limit, and a column that is too long must reach its check.
    window_key varchar(82)
        AS (concat(left(coalesce(utc, ''), 64), '|', left(allowed_start, 8), '|', left(allowed_stop, 8))) PERSISTENT INVISIBLE
        COMMENT 'cases with one key open and close together',
    -- What PostgreSQL's partial indexes say in their predicates.
    waits_as varchar(9)
        AS (CASE
            WHEN used OR checked THEN NULL
            WHEN deferred_time IS NULL OR deferred_done THEN 'fresh'
            ELSE deferred_kind
        END) PERSISTENT INVISIBLE
        COMMENT 'fresh, scheduled or redial; NULL: does not wait',
    inserted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) INVISIBLE
        COMMENT 'created as it was at INSERT; with id, project and number it says who the case is, whatever is done to created',
    -- dialer_pick: fresh cases of one call window in the order of sort
    KEY dialer_clients_fresh_created (project_id, waits_as, window_key, created, id),
    KEY dialer_clients_fresh_priority (project_id, waits_as, window_key, priority, id),
    -- ... with sort 3:1 and 3:2: inside a window only the id orders
    KEY dialer_clients_fresh_id (project_id, waits_as, window_key, id),
    KEY dialer_clients_fresh_both (project_id, waits_as, window_key, priority, created, id),
    -- dialer_pick: promised callbacks and redials
    KEY dialer_clients_deferred (project_id, waits_as, window_key, deferred_time, id),
    -- dialer_project_until: when a delayed case may go; dialer_why_count
    KEY dialer_clients_delayed (project_id, waits_as, window_key, not_before_at),
    -- dialer_why_count: cases whose number is in a call or was abandoned lately
    KEY dialer_clients_number (phone_number),
    -- dialer_invariants, dialer_reap: cases in hand
    KEY dialer_clients_checked (checked)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_params (
    project_id varchar(400) NULL,
    `lines` bigint NULL COMMENT 'most calls of the project at once; 0 or NULL: no cap of its own',
    dial_time bigint NOT NULL DEFAULT 20000 COMMENT 'milliseconds to ring; below 1000 it can only be seconds and is read so',
    case_limit bigint NULL COMMENT 'most cases claimed and not yet dialled; NULL: 500',
    sort varchar(400) NULL COMMENT 'column:order, a comma list allowed; 1 priority 2 created 3 utc; 1 DESC 2 ASC; NULL: 2:1',
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    type varchar(400) NULL,
    exten varchar(400) NULL,
    context varchar(400) NOT NULL DEFAULT 'default',
    queue varchar(200) NULL INVISIBLE COMMENT 'Asterisk queue that serves the project; NULL: named like the project',
    zone varchar(400) NULL INVISIBLE COMMENT 'zone of cases without utc; NULL: server_zone in dialer_settings',
    asterisk varchar(200) NULL INVISIBLE COMMENT 'where the queue is; NULL: default',
    trunk varchar(200) NULL INVISIBLE COMMENT 'row of dialer_trunks; NULL: default',
    caller_id varchar(400) NULL INVISIBLE COMMENT 'shown to the subscriber, number or Name <number>; NULL: the trunk''s own',
    abandon_seconds decimal(6, 3) NOT NULL DEFAULT 2 INVISIBLE COMMENT 'an answered person without an agent for longer counts as abandoned' CHECK (abandon_seconds > 0),
    abandon_target decimal(8, 2) NOT NULL DEFAULT 3 INVISIBLE
        COMMENT 'percent of the people who answered that may be abandoned: abandoned / (connected + abandoned)',
    abandon_hours int NOT NULL DEFAULT 24 INVISIBLE COMMENT 'the target is kept over so many hours …',
    abandon_days int NOT NULL DEFAULT 30 INVISIBLE COMMENT '… and over so many days; the stricter of the two decides',
    abandon_action varchar(400) NOT NULL DEFAULT 'message' INVISIBLE
        COMMENT 'what an answered person hears after abandon_seconds without an agent; message: the safe-harbour message, then hang-up; queue: nothing, stays in the queue',
    calls_per_agent decimal(8, 2) NOT NULL DEFAULT 10 INVISIBLE
        COMMENT 'most calls in flight for each agent who is there',
    predictive_agents int NOT NULL DEFAULT 5 INVISIBLE COMMENT 'with fewer agents there it dials as progressive',
    dial_ratio decimal(8, 2) NULL INVISIBLE
        COMMENT 'power dialling: so many calls for each free agent; NULL: the pacing decides',
    amd tinyint(1) NOT NULL DEFAULT false INVISIBLE COMMENT 'the dialplan asks AMD() whether a person answered',
    machine_action varchar(400) NOT NULL DEFAULT 'hangup' INVISIBLE COMMENT 'what a machine hears: hangup or message',
    machine_period int NULL INVISIBLE
        COMMENT 'minutes before the redial after a machine; NULL: call_back_period, as after any other call',
    priority int NOT NULL DEFAULT 0 INVISIBLE COMMENT 'among projects that share agents or lines: higher first',
    call_time bigint NULL INVISIBLE COMMENT 'old name of dial_time, taken over at INSERT and UPDATE',
    UNIQUE KEY dialer_params_project_id (project_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_stat (
    id bigint NOT NULL PRIMARY KEY COMMENT 'id of the case',
    case_name varchar(1000) NULL,
    project_id varchar(400) NULL,
    phone_number varchar(400) NULL,
    dial_count int NOT NULL DEFAULT 0 COMMENT 'calls made; never falls',
    ended timestamp(6) NULL DEFAULT NULL,
    state varchar(20) NULL COMMENT 'outcome of the last call, see dialer_outcomes',
    case_inserted_at timestamp(6) NULL DEFAULT NULL INVISIBLE
        COMMENT 'dialer_clients.inserted_at of the case that was called; another case under its id begins at 0',
    counted_from timestamp(6) NULL DEFAULT NULL INVISIBLE COMMENT 'end of the first call that dial_count counts'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE INDEX IF NOT EXISTS dialer_stat_project_id ON dialer_stat (project_id);
-- for who deletes old ones and reads repeatably: a statement holds every row that it looks at
CREATE INDEX IF NOT EXISTS dialer_stat_ended ON dialer_stat (ended);

CREATE TABLE IF NOT EXISTS dialer_outcomes (
    outcome varchar(20) NOT NULL PRIMARY KEY,
    redial tinyint(1) NOT NULL COMMENT 'call_back_period applies',
    uses_attempt tinyint(1) NOT NULL COMMENT 'false: the case goes back, only later',
    reached tinyint(1) NULL COMMENT 'what it says of the trunk: true it works, false it does not if nothing rang, NULL nothing',
    meaning varchar(200) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
INSERT IGNORE INTO dialer_outcomes (outcome, redial, uses_attempt, reached, meaning) VALUES
    ('ANSWERED', false, true, true, 'a person answered and was connected to an agent, or the message took the call'),
    ('ABANDONED', true, true, true, 'a person answered and the call ended without an agent'),
    ('EARLY_HANGUP', true, true, true, 'a person answered and left within the limit, before any agent'),
    ('MACHINE', true, true, true, 'an answering machine, by AMD or the agent'),
    ('BUSY', true, true, true, 'subscriber busy (cause 17)'),
    ('NOANSWER', true, true, false, 'not answered in time (originate time-out, causes 18, 19)'),
    ('REJECTED', true, true, false, 'call rejected (cause 21)'),
    ('INVALID', false, true, false, 'no such number (causes 1, 22, 28)'),
    ('CONGESTION', true, true, false, 'the network has no room (causes 34, 38, 41, 42)'),
    ('UNAVAILABLE', true, true, false, 'subscriber absent or out of order (causes 20, 27 and what is left over)'),
    ('FAILED', false, false, false, 'our side: no channel was ever made'),
    ('CANCELLED', false, false, NULL, 'we ended it before the answer'),
    ('TECHNICAL', false, false, NULL, 'Asterisk or the dialer went down before the answer'),
    ('LOST', true, true, NULL, 'nobody can know how it ended');

CREATE TABLE IF NOT EXISTS dialer_workers (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    name varchar(400) NOT NULL,
    started_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    lease_until timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    lease_seconds decimal(20, 6) NOT NULL,
    stopped_at timestamp(6) NULL DEFAULT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_asterisks (
    asterisk varchar(200) NOT NULL PRIMARY KEY,
    worker_id bigint NULL,
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamp(6) NULL DEFAULT NULL,
    lease_seconds decimal(20, 6) NULL,
    state varchar(20) NOT NULL DEFAULT 'down' CHECK (state IN ('up', 'down')),
    reason varchar(1000) NULL,
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'each Asterisk has one owner at a time: the worker whose lease and epoch stand here';

CREATE TABLE IF NOT EXISTS dialer_trunks (
    trunk varchar(200) NOT NULL,
    asterisk varchar(200) NOT NULL DEFAULT 'default',
    dial_template varchar(400) NOT NULL COMMENT 'Asterisk channel with {number}, e.g. PJSIP/{number}@carrier',
    max_lines int NOT NULL DEFAULT 30 CHECK (max_lines >= 0),
    calls_per_second decimal(8, 3) NOT NULL DEFAULT 5 COMMENT 'evenly spaced: 20 is a call each 50 ms'
        CHECK (calls_per_second > 0),
    burst int NOT NULL DEFAULT 2
        COMMENT 'most calls at once: what makes good a turn that came late; never less than 50 ms of calls_per_second'
        CHECK (burst > 0),
    PRIMARY KEY (trunk, asterisk)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_trunk_states (
    trunk varchar(200) NOT NULL,
    asterisk varchar(200) NOT NULL,
    dial_template varchar(400) NULL COMMENT 'the template that is failing; with another one the trunk is tried at once',
    state varchar(20) NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'failing')),
    reason varchar(1000) NULL,
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    retry_at timestamp(6) NULL DEFAULT NULL,
    retries int NOT NULL DEFAULT 0,
    streak int NOT NULL DEFAULT 0 COMMENT 'attempts ended in a row without so much as ringing; 20 make the trunk failing',
    silent_at timestamp(6) NULL DEFAULT NULL COMMENT 'when the first attempt of the streak ended',
    sound_at timestamp(6) NULL DEFAULT NULL COMMENT 'the last sign of life',
    next_at timestamp(6) NULL DEFAULT NULL COMMENT 'the next call is due (calls_per_second)',
    PRIMARY KEY (trunk, asterisk)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'what the dialer knows of each trunk; apart from dialer_trunks, so that nobody who edits those holds up a call';

CREATE TABLE IF NOT EXISTS dialer_projects (
    project_id varchar(400) NOT NULL PRIMARY KEY,
    wanted varchar(20) NOT NULL DEFAULT 'stop' COMMENT 'what was asked; kept over restarts' CHECK (wanted IN ('start', 'stop')),
    state varchar(20) NOT NULL DEFAULT 'stopped'
        COMMENT 'what the last claim has found; what stands in the way beside it: dialer_project_states'
        CHECK (state IN ('stopped', 'running', 'idle', 'finished')),
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    until_at timestamp(6) NULL DEFAULT NULL COMMENT 'idle: the next case is due; NULL: unknown',
    hungry tinyint(1) NOT NULL DEFAULT true COMMENT 'a worker found fewer cases than it could dial: a new one wakes it',
    claims_slow varchar(400) NULL COMMENT 'what keeps a worker from getting cases that wait; NULL: nothing',
    claims_slow_at timestamp(6) NULL DEFAULT NULL COMMENT 'since when',
    cases_waiting bigint NULL,
    counted_at timestamp(6) NULL DEFAULT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS dialer_fitness (
    project_id varchar(400) NOT NULL,
    asterisk varchar(200) NOT NULL,
    reason varchar(1000) NOT NULL,
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    until_at timestamp(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'when it is looked at again',
    retries int NOT NULL,
    PRIMARY KEY (project_id, asterisk)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'what a project lacks on an Asterisk (queue, context, extension, permission); no row: nothing is known to be missing';

CREATE TABLE IF NOT EXISTS dialer_troubles (
    kind varchar(20) NOT NULL CHECK (kind IN ('project', 'trunk', 'asterisk', 'worker', 'case')),
    subject varchar(400) NOT NULL COMMENT 'its name; of a case the id',
    asterisk varchar(200) NOT NULL,
    step varchar(40) NOT NULL,
    detail varchar(1000) NOT NULL,
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    told_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'the last time that it was seen; who has it tells it again and again',
    PRIMARY KEY (kind, subject, asterisk, step)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'what keeps one project, trunk, Asterisk, worker or case from being served, while the others are; gone by itself when it is over';

CREATE TABLE IF NOT EXISTS dialer_claims (
    case_id bigint NOT NULL PRIMARY KEY,
    project_id varchar(400) NOT NULL,
    asterisk varchar(200) NOT NULL,
    worker_id bigint NOT NULL,
    epoch bigint NOT NULL,
    kind varchar(20) NOT NULL CHECK (kind IN ('scheduled', 'redial', 'fresh')),
    due_at timestamp(6) NULL DEFAULT NULL,
    place bigint NOT NULL AUTO_INCREMENT,
    claimed_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    case_inserted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    attempt_id bigint NULL,
    KEY dialer_claims_place (place)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'the guard against a second dial: one row per case in hand';
CREATE INDEX IF NOT EXISTS dialer_claims_project_id ON dialer_claims (project_id);
CREATE INDEX IF NOT EXISTS dialer_claims_asterisk ON dialer_claims (asterisk);

CREATE TABLE IF NOT EXISTS dialer_live (
    phone_number varchar(400) NOT NULL PRIMARY KEY,
    case_id bigint NOT NULL,
    project_id varchar(400) NOT NULL,
    asterisk varchar(200) NOT NULL,
    trunk varchar(200) NOT NULL,
    attempt_id bigint NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'one live call per number, over all projects; lines in use are counted here';
CREATE INDEX IF NOT EXISTS dialer_live_project_id ON dialer_live (project_id);
CREATE INDEX IF NOT EXISTS dialer_live_trunk ON dialer_live (trunk, asterisk);

CREATE TABLE IF NOT EXISTS dialer_calls (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    case_id bigint NOT NULL,
    case_name varchar(1000) NOT NULL,
    project_id varchar(400) NOT NULL,
    phone_number varchar(400) NOT NULL,
    case_inserted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'dialer_clients.inserted_at of the case that was dialled',
    asterisk varchar(200) NOT NULL,
    trunk varchar(200) NOT NULL,
    worker_id bigint NOT NULL,
    epoch bigint NOT NULL,
    type varchar(400) NOT NULL,
    queue varchar(200) NOT NULL,
    kind varchar(20) NOT NULL,
    due_at timestamp(6) NULL DEFAULT NULL,
    redials_done int NOT NULL,
    brought_back int NOT NULL,
    channel_id varchar(400) NOT NULL UNIQUE,
    action_id varchar(400) NOT NULL UNIQUE,
    channel varchar(400) NOT NULL,
    dial_seconds decimal(9, 3) NOT NULL,
    abandon_seconds decimal(6, 3) NOT NULL,
    state varchar(20) NOT NULL DEFAULT 'begun' COMMENT 'where the call is; outcome: how it ended; disposition: what the agent noted'
        CHECK (state IN ('begun', 'dialing', 'ringing', 'answered', 'waiting', 'connected', 'ended')),
    outcome varchar(20) NULL CHECK (outcome IN ('ANSWERED', 'ABANDONED', 'EARLY_HANGUP', 'MACHINE', 'BUSY', 'NOANSWER', 'REJECTED',
        'INVALID', 'CONGESTION', 'UNAVAILABLE', 'FAILED', 'CANCELLED', 'TECHNICAL', 'LOST')),
    disposition varchar(400) NULL,
    cause int NULL COMMENT 'hangup cause of our channel (ITU-T Q.850); NULL: no channel',
    detail varchar(400) NULL,
    agent varchar(400) NULL,
    effect varchar(20) NULL COMMENT 'what its end did to the case' CHECK (effect IN ('used', 'redial', 'back', 'kept')),
    begun_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    dialing_at timestamp(6) NULL DEFAULT NULL,
    ringing_at timestamp(6) NULL DEFAULT NULL,
    answered_at timestamp(6) NULL DEFAULT NULL,
    waiting_at timestamp(6) NULL DEFAULT NULL,
    agent_at timestamp(6) NULL DEFAULT NULL,
    amd_at timestamp(6) NULL DEFAULT NULL,
    amd_verdict varchar(20) NULL COMMENT 'what AMD() said (its AMDSTATUS), at amd_at'
        CHECK (amd_verdict IN ('HUMAN', 'MACHINE', 'NOTSURE', 'HANGUP')),
    played_at timestamp(6) NULL DEFAULT NULL,
    abandoned_at timestamp(6) NULL DEFAULT NULL
        COMMENT 'a person answered and had no agent at the end of abandon_seconds (counted from AMD''s verdict where there is one), or left as abandoned before',
    ended_at timestamp(6) NULL DEFAULT NULL,
    ring_seconds decimal(12, 3) NULL COMMENT 'from ringing (else dialling) to the answer or the end',
    wait_seconds decimal(12, 3) NULL COMMENT 'from the answer to the agent, or to the end without one',
    talk_seconds decimal(12, 3) NULL COMMENT 'from the agent (autoinforming: the answer) to the end',
    not_posted varchar(400) NULL COMMENT 'ended, and why it is not in dialer_attempts yet: the server''s words',
    counts_as varchar(9)
        AS (CASE
            WHEN outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN NULL
            WHEN abandoned_at IS NOT NULL THEN 'abandoned'
            WHEN ended_at IS NOT NULL AND agent_at IS NOT NULL THEN 'connected'
            WHEN outcome = 'LOST' THEN 'lost'
        END) PERSISTENT
        COMMENT 'in the abandon rate, abandoned / (connected + abandoned), people only; lost: beside it',
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'attempts under way, one row each, committed before Originate is sent; at its end a row moves to dialer_attempts (dialer_post)';
CREATE INDEX IF NOT EXISTS dialer_calls_case_id ON dialer_calls (case_id);
-- dialer_open_attempts
CREATE INDEX IF NOT EXISTS dialer_calls_asterisk ON dialer_calls (asterisk, id);

CREATE TABLE IF NOT EXISTS dialer_attempts (
    id bigint NOT NULL PRIMARY KEY,
    case_id bigint NOT NULL,
    case_name varchar(1000) NOT NULL,
    project_id varchar(400) NOT NULL,
    phone_number varchar(400) NOT NULL,
    case_inserted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
        COMMENT 'dialer_clients.inserted_at of the case that was dialled',
    asterisk varchar(200) NOT NULL,
    trunk varchar(200) NOT NULL,
    worker_id bigint NOT NULL,
    epoch bigint NOT NULL,
    type varchar(400) NOT NULL,
    queue varchar(200) NOT NULL,
    kind varchar(20) NOT NULL,
    due_at timestamp(6) NULL DEFAULT NULL,
    redials_done int NOT NULL,
    brought_back int NOT NULL,
    channel_id varchar(400) NOT NULL UNIQUE,
    action_id varchar(400) NOT NULL,
    channel varchar(400) NOT NULL,
    dial_seconds decimal(9, 3) NOT NULL,
    abandon_seconds decimal(6, 3) NOT NULL,
    state varchar(20) NOT NULL CHECK (state = 'ended'),
    outcome varchar(20) NOT NULL,
    disposition varchar(400) NULL,
    cause int NULL COMMENT 'hangup cause of our channel (ITU-T Q.850); NULL: no channel',
    detail varchar(400) NULL,
    agent varchar(400) NULL,
    effect varchar(20) NOT NULL COMMENT 'what its end did to the case' CHECK (effect IN ('used', 'redial', 'back', 'kept')),
    begun_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    dialing_at timestamp(6) NULL DEFAULT NULL,
    ringing_at timestamp(6) NULL DEFAULT NULL,
    answered_at timestamp(6) NULL DEFAULT NULL,
    waiting_at timestamp(6) NULL DEFAULT NULL,
    agent_at timestamp(6) NULL DEFAULT NULL,
    amd_at timestamp(6) NULL DEFAULT NULL,
    amd_verdict varchar(20) NULL COMMENT 'what AMD() said (its AMDSTATUS), at amd_at'
        CHECK (amd_verdict IN ('HUMAN', 'MACHINE', 'NOTSURE', 'HANGUP')),
    played_at timestamp(6) NULL DEFAULT NULL,
    abandoned_at timestamp(6) NULL DEFAULT NULL
        COMMENT 'a person answered and had no agent at the end of abandon_seconds (counted from AMD''s verdict where there is one), or left as abandoned before',
    ended_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    ring_seconds decimal(12, 3) NULL COMMENT 'from ringing (else dialling) to the answer or the end',
    wait_seconds decimal(12, 3) NULL COMMENT 'from the answer to the agent, or to the end without one',
    talk_seconds decimal(12, 3) NULL COMMENT 'from the agent (autoinforming: the answer) to the end',
    counts_as varchar(9)
        AS (CASE
            WHEN outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN NULL
            WHEN abandoned_at IS NOT NULL THEN 'abandoned'
            WHEN ended_at IS NOT NULL AND agent_at IS NOT NULL THEN 'connected'
            WHEN outcome = 'LOST' THEN 'lost'
        END) PERSISTENT
        COMMENT 'in the abandon rate, abandoned / (connected + abandoned), people only; lost: beside it',
    CONSTRAINT dialer_attempts_outcome FOREIGN KEY (outcome) REFERENCES dialer_outcomes (outcome)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'the ledger: one row per attempt that has ended; those under way stand in dialer_calls, both in dialer_stat_attempt';
CREATE INDEX IF NOT EXISTS dialer_attempts_case_id ON dialer_attempts (case_id);
-- dialer_stat_project and its kin
CREATE INDEX IF NOT EXISTS dialer_attempts_project_ended ON dialer_attempts (project_id, ended_at);
-- dialer_abandon_ledger
CREATE INDEX IF NOT EXISTS dialer_attempts_counted ON dialer_attempts (project_id, counts_as, ended_at);
-- dialer_trunk_trip: the streak
CREATE INDEX IF NOT EXISTS dialer_attempts_trunk_begun ON dialer_attempts (trunk, asterisk, begun_at);
-- for who deletes old ones and reads repeatably: a statement holds every row that it looks at
CREATE INDEX IF NOT EXISTS dialer_attempts_ended ON dialer_attempts (ended_at);

CREATE TABLE IF NOT EXISTS dialer_agents (
    asterisk varchar(200) NOT NULL,
    queue varchar(200) NOT NULL,
    interface varchar(200) NOT NULL,
    name varchar(400) NOT NULL,
    state varchar(20) NOT NULL
        CHECK (state IN ('free', 'ringing', 'talking', 'wrapup', 'paused', 'unavailable')),
    since_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    PRIMARY KEY (asterisk, queue, interface)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'queue members as the owner of their Asterisk sees them';

CREATE TABLE IF NOT EXISTS dialer_away (
    attempt_id bigint NOT NULL PRIMARY KEY,
    case_id bigint NOT NULL,
    project_id varchar(400) NOT NULL,
    phone_number varchar(400) NOT NULL,
    case_inserted_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    outcome varchar(20) NOT NULL,
    ended_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'calls that have ended while their case was not in dialer_clients: one that comes back is not called again for them';
CREATE INDEX IF NOT EXISTS dialer_away_case_id ON dialer_away (case_id);
CREATE INDEX IF NOT EXISTS dialer_away_ended ON dialer_away (ended_at);
CREATE TABLE IF NOT EXISTS dialer_abandoned (
    phone_number varchar(400) NOT NULL PRIMARY KEY,
    until_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    project_id varchar(400) NOT NULL,
    attempt_id bigint NOT NULL COMMENT 'the attempt that abandoned it last, of project_id'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'numbers that were abandoned: until then called only with an agent guaranteed, in whatever project';
-- dialer_prune
CREATE INDEX IF NOT EXISTS dialer_abandoned_until ON dialer_abandoned (until_at);

CREATE TABLE IF NOT EXISTS dialer_pacing_state (
    project_id varchar(400) NOT NULL PRIMARY KEY,
    learned longtext NOT NULL,
    saved_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'what the pacing of a project has learned; survives the worker';

CREATE TABLE IF NOT EXISTS dialer_pacing_journal (
    id bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
    at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    asterisk varchar(200) NOT NULL,
    project_id varchar(400) NOT NULL,
    mode varchar(20) NOT NULL CHECK (mode IN ('predictive', 'progressive', 'ratio')),
    quota int NOT NULL COMMENT 'calls that the pacing wanted to begin',
    granted int NOT NULL COMMENT 'what lines, calls per second and priority left of them',
    reason varchar(1000) NOT NULL,
    inputs longtext NOT NULL COMMENT 'JSON: all that the decision was made from'
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'one row per decision of the pacing; kept for journal_hours of dialer_settings';
-- dialer_stat_pacing: the last decision
CREATE INDEX IF NOT EXISTS dialer_pacing_journal_project ON dialer_pacing_journal (project_id, id);
-- dialer_prune
CREATE INDEX IF NOT EXISTS dialer_pacing_journal_at ON dialer_pacing_journal (at);

-- dialer_owns: what is locked instead of dialer_asterisks, whose leases must stay free for the beat.
CREATE TABLE IF NOT EXISTS dialer_ownerships (
    asterisk varchar(200) NOT NULL PRIMARY KEY
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'locked by whoever acts as an owner (shared) or changes one (exclusive)';

-- dialer_wake writes, dialer_wait reads: PostgreSQL's NOTIFY and LISTEN. A session has one row for each project,
-- however many statements it runs: nothing of it is seen before its commit, and then its latest writing.
CREATE TABLE IF NOT EXISTS dialer_wakeups (
    session bigint NOT NULL,
    project_id varchar(400) NOT NULL COMMENT 'empty: every project',
    only_hungry tinyint(1) NOT NULL COMMENT 'of no interest unless a worker wants more cases of the project',
    written_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    PRIMARY KEY (session, project_id, only_hungry)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
  COMMENT 'wake-ups on their way to the workers';

-- Down: what 0001 has made goes, with every row.
DROP TABLE IF EXISTS dialer_wakeups;
DROP TABLE IF EXISTS dialer_ownerships;
DROP TABLE IF EXISTS dialer_pacing_journal;
DROP TABLE IF EXISTS dialer_pacing_state;
DROP TABLE IF EXISTS dialer_abandoned;
DROP TABLE IF EXISTS dialer_away;
DROP TABLE IF EXISTS dialer_agents;
DROP TABLE IF EXISTS dialer_attempts;
DROP TABLE IF EXISTS dialer_calls;
DROP TABLE IF EXISTS dialer_live;
DROP TABLE IF EXISTS dialer_claims;
DROP TABLE IF EXISTS dialer_troubles;
DROP TABLE IF EXISTS dialer_fitness;
DROP TABLE IF EXISTS dialer_projects;
DROP TABLE IF EXISTS dialer_trunk_states;
DROP TABLE IF EXISTS dialer_trunks;
DROP TABLE IF EXISTS dialer_asterisks;
DROP TABLE IF EXISTS dialer_workers;
DROP TABLE IF EXISTS dialer_outcomes;
DROP TABLE IF EXISTS dialer_stat;
DROP TABLE IF EXISTS dialer_params;
DROP TABLE IF EXISTS dialer_clients;
DROP TABLE IF EXISTS dialer_servers;
DROP TABLE IF EXISTS dialer_settings;
