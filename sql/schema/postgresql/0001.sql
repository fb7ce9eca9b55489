-- The original's three tables with every column, and what stands around them.
-- No foreign keys to dialer_clients: a DBA's DELETE must neither wait for a call nor erase its history.

CREATE TABLE dialer_settings (
    name varchar NOT NULL PRIMARY KEY,
    value varchar NOT NULL,
    description varchar NOT NULL
);

CREATE TABLE dialer_servers (
    identity varchar NOT NULL PRIMARY KEY,
    added_at timestamptz NOT NULL DEFAULT now(),
    note varchar NOT NULL
);
COMMENT ON TABLE dialer_servers IS 'servers that calls may be begun from: workers refuse others, which may be copies';

CREATE TABLE dialer_clients (
    case_name varchar NOT NULL,
    project_id varchar NOT NULL,
    phone_number varchar NOT NULL,
    priority int8 NOT NULL DEFAULT 1,
    utc varchar NULL,
    used bool NOT NULL DEFAULT false,
    call_back bool NOT NULL DEFAULT false,
    allowed_start varchar NOT NULL DEFAULT '00:00:00',
    allowed_stop varchar NOT NULL DEFAULT '00:00:00',
    checked bool NOT NULL DEFAULT false,
    call_back_period varchar NULL,
    deferred_time timestamptz NULL,
    deferred_done bool NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT now(),
    id bigserial NOT NULL PRIMARY KEY,
    deferred_kind varchar NULL CHECK (deferred_kind IN ('scheduled', 'redial')),
    -- What a DBA writes by hand must be readable by every client; MariaDB's type sees to it.
    not_before_at timestamptz NULL CHECK (not_before_at BETWEEN '1970-01-01 00:00:00Z' AND '2038-01-19 00:00:00Z'),
    redials_done int NOT NULL DEFAULT 0 CHECK (redials_done >= 0),
    failures int NOT NULL DEFAULT 0 CHECK (failures >= 0),
    brought_back int NOT NULL DEFAULT 0 CHECK (brought_back >= 0),
    last_attempt_id int8 NULL,
    tried_at timestamptz NULL CHECK (tried_at BETWEEN '1970-01-01 00:00:00Z' AND '2038-01-19 00:00:00Z'),
    recall bool NULL,
    recall_period varchar NULL,
    window_key varchar COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (coalesce(utc, '') || '|' || allowed_start || '|' || allowed_stop) STORED,
    inserted_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON COLUMN dialer_clients.priority IS '1 is the highest; dialled first with sort 1:2 (1:1 dials the largest number first)';
COMMENT ON COLUMN dialer_clients.utc IS 'subscriber''s offset (+03.00h, +3, +05:30, Z) or IANA zone (Europe/Moscow); NULL: the project''s zone, else the server''s';
COMMENT ON COLUMN dialer_clients.used IS 'no further attempt will be made; set it to withdraw the case, clear it to bring it back';
COMMENT ON COLUMN dialer_clients.checked IS 'in a worker''s hands now; a mirror of dialer_claims for readers';
COMMENT ON COLUMN dialer_clients.allowed_start IS 'subscriber''s local time HH:MM[:SS]; equal to allowed_stop: all day; later than allowed_stop: across midnight';
COMMENT ON COLUMN dialer_clients.call_back_period IS 'minutes before each redial, e.g. 1,1; the n-th after attempt n ended; only with call_back';
COMMENT ON COLUMN dialer_clients.deferred_time IS 'not before this instant; written by anybody but the dialer it is a scheduled callback';
COMMENT ON COLUMN dialer_clients.not_before_at IS 'a delay of the dialer''s own after a call that could not be made';
COMMENT ON COLUMN dialer_clients.failures IS 'calls in a row that could not be made on a working trunk; the tenth uses the case up';
COMMENT ON COLUMN dialer_clients.brought_back IS 'how often used was cleared';
COMMENT ON COLUMN dialer_clients.tried_at IS 'when it was dialled last, whatever became of that; while a trunk is failing who was tried longest ago is next';
COMMENT ON COLUMN dialer_clients.inserted_at IS 'created as it was at INSERT; with id, project and number it says who the case is, whatever is done to created';
COMMENT ON COLUMN dialer_clients.recall IS 'old name of call_back, taken over at INSERT and UPDATE';
COMMENT ON COLUMN dialer_clients.recall_period IS 'old name of call_back_period, taken over at INSERT and UPDATE';
COMMENT ON COLUMN dialer_clients.window_key IS 'cases with one key open and close together';
-- dialer_pick: fresh cases of one call window in the order of sort
CREATE INDEX dialer_clients_fresh_created ON dialer_clients (project_id, window_key, created, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_priority ON dialer_clients (project_id, window_key, priority, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
-- ... with sort 3:1 and 3:2: inside a window only the id orders; dialer_why_count, dialer_project_until
CREATE INDEX dialer_clients_fresh_id ON dialer_clients (project_id, window_key, id) INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
CREATE INDEX dialer_clients_fresh_both ON dialer_clients (project_id, window_key, priority, created, id)
    WHERE NOT used AND NOT checked AND (deferred_time IS NULL OR deferred_done);
-- dialer_pick: promised callbacks and redials
CREATE INDEX dialer_clients_deferred ON dialer_clients (project_id, deferred_kind, window_key, deferred_time, id)
    INCLUDE (not_before_at)
    WHERE NOT used AND NOT checked AND deferred_time IS NOT NULL AND NOT deferred_done;
-- dialer_project_until: when a delayed case may go
CREATE INDEX dialer_clients_delayed ON dialer_clients (project_id, window_key, not_before_at)
    WHERE NOT used AND NOT checked AND not_before_at IS NOT NULL;
-- dialer_why_count: cases whose number is in a call or was abandoned lately
CREATE INDEX dialer_clients_number ON dialer_clients (phone_number) WHERE NOT used AND NOT checked;
-- dialer_invariants, dialer_reap: cases in hand
CREATE INDEX dialer_clients_checked ON dialer_clients (id) WHERE checked;

CREATE TABLE dialer_params (
    project_id varchar NULL,
    lines int8 NULL,
    dial_time int8 NOT NULL DEFAULT 20000,
    case_limit int8 NULL,
    sort varchar NULL,
    id bigserial NOT NULL PRIMARY KEY,
    type varchar NULL,
    exten varchar NULL,
    context varchar NOT NULL DEFAULT 'default',
    queue varchar NULL,
    zone varchar NULL,
    asterisk varchar NULL,
    trunk varchar NULL,
    caller_id varchar NULL,
    abandon_seconds numeric(6, 3) NOT NULL DEFAULT 2 CHECK (abandon_seconds > 0),
    abandon_target numeric(8, 2) NOT NULL DEFAULT 3,
    abandon_hours int NOT NULL DEFAULT 24,
    abandon_days int NOT NULL DEFAULT 30,
    abandon_action varchar NOT NULL DEFAULT 'message',
    calls_per_agent numeric(8, 2) NOT NULL DEFAULT 10,
    predictive_agents int NOT NULL DEFAULT 5,
    dial_ratio numeric(8, 2) NULL,
    amd bool NOT NULL DEFAULT false,
    machine_action varchar NOT NULL DEFAULT 'hangup',
    machine_period int NULL,
    priority int NOT NULL DEFAULT 0,
    call_time int8 NULL,
    UNIQUE (project_id)
);
COMMENT ON COLUMN dialer_params.lines IS 'most calls of the project at once; 0 or NULL: no cap of its own';
COMMENT ON COLUMN dialer_params.dial_time IS 'milliseconds to ring; below 1000 it can only be seconds and is read so';
COMMENT ON COLUMN dialer_params.case_limit IS 'most cases claimed and not yet dialled; NULL: 500';
COMMENT ON COLUMN dialer_params.sort IS 'column:order, a comma list allowed; 1 priority 2 created 3 utc; 1 DESC 2 ASC; NULL: 2:1';
COMMENT ON COLUMN dialer_params.queue IS 'Asterisk queue that serves the project; NULL: named like the project';
COMMENT ON COLUMN dialer_params.zone IS 'zone of cases without utc; NULL: server_zone in dialer_settings';
COMMENT ON COLUMN dialer_params.asterisk IS 'where the queue is; NULL: default';
COMMENT ON COLUMN dialer_params.trunk IS 'row of dialer_trunks; NULL: default';
COMMENT ON COLUMN dialer_params.caller_id IS 'shown to the subscriber, number or Name <number>; NULL: the trunk''s own';
COMMENT ON COLUMN dialer_params.abandon_seconds IS 'an answered person without an agent for longer counts as abandoned';
COMMENT ON COLUMN dialer_params.abandon_target IS 'percent of the people who answered that may be abandoned: abandoned / (connected + abandoned)';
COMMENT ON COLUMN dialer_params.abandon_hours IS 'the target is kept over so many hours …';
COMMENT ON COLUMN dialer_params.abandon_days IS '… and over so many days; the stricter of the two decides';
COMMENT ON COLUMN dialer_params.abandon_action IS 'what an answered person hears after abandon_seconds without an agent; message: the safe-harbour message, then hang-up; queue: nothing, stays in the queue';
COMMENT ON COLUMN dialer_params.calls_per_agent IS 'most calls in flight for each agent who is there';
COMMENT ON COLUMN dialer_params.predictive_agents IS 'with fewer agents there it dials as progressive';
COMMENT ON COLUMN dialer_params.dial_ratio IS 'power dialling: so many calls for each free agent; NULL: the pacing decides';
COMMENT ON COLUMN dialer_params.amd IS 'the dialplan asks AMD() whether a person answered';
COMMENT ON COLUMN dialer_params.machine_action IS 'what a machine hears: hangup or message';
COMMENT ON COLUMN dialer_params.machine_period IS 'minutes before the redial after a machine; NULL: call_back_period, as after any other call';
COMMENT ON COLUMN dialer_params.priority IS 'among projects that share agents or lines: higher first';
COMMENT ON COLUMN dialer_params.call_time IS 'old name of dial_time, taken over at INSERT and UPDATE';

CREATE TABLE dialer_stat (
    id int8 NOT NULL PRIMARY KEY,
    case_name varchar NULL,
    project_id varchar NULL,
    phone_number varchar NULL,
    dial_count int4 NOT NULL DEFAULT 0,
    ended timestamptz NULL,
    state varchar NULL,
    case_inserted_at timestamptz NULL,
    counted_from timestamptz NULL
) WITH (fillfactor = 90);
CREATE INDEX dialer_stat_project_id ON dialer_stat (project_id);
COMMENT ON COLUMN dialer_stat.id IS 'id of the case';
COMMENT ON COLUMN dialer_stat.dial_count IS 'calls made; never falls';
COMMENT ON COLUMN dialer_stat.state IS 'outcome of the last call, see dialer_outcomes';
COMMENT ON COLUMN dialer_stat.case_inserted_at IS 'dialer_clients.inserted_at of the case that was called; another case under its id begins at 0';
COMMENT ON COLUMN dialer_stat.counted_from IS 'end of the first call that dial_count counts';

CREATE TABLE dialer_outcomes (
    outcome varchar NOT NULL PRIMARY KEY,
    redial bool NOT NULL,
    uses_attempt bool NOT NULL,
    reached bool NULL,
    meaning varchar NOT NULL
);
COMMENT ON COLUMN dialer_outcomes.redial IS 'call_back_period applies';
COMMENT ON COLUMN dialer_outcomes.uses_attempt IS 'false: the case goes back, only later';
COMMENT ON COLUMN dialer_outcomes.reached IS 'what it says of the trunk: true it works, false it does not if nothing rang, NULL nothing';
INSERT INTO dialer_outcomes (outcome, redial, uses_attempt, reached, meaning) VALUES
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

CREATE TABLE dialer_workers (
    id bigserial NOT NULL PRIMARY KEY,
    name varchar NOT NULL,
    started_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    lease_seconds numeric NOT NULL,
    stopped_at timestamptz NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE dialer_asterisks (
    asterisk varchar NOT NULL PRIMARY KEY,
    worker_id int8 NULL,
    epoch int8 NOT NULL DEFAULT 0,
    lease_until timestamptz NULL,
    lease_seconds numeric NULL,
    state varchar NOT NULL DEFAULT 'down' CHECK (state IN ('up', 'down')),
    reason varchar NULL,
    since_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_asterisks IS 'each Asterisk has one owner at a time: the worker whose lease and epoch stand here';

CREATE TABLE dialer_trunks (
    trunk varchar NOT NULL,
    asterisk varchar NOT NULL DEFAULT 'default',
    dial_template varchar NOT NULL,
    max_lines int NOT NULL DEFAULT 30 CHECK (max_lines >= 0),
    calls_per_second numeric(8, 3) NOT NULL DEFAULT 5 CHECK (calls_per_second > 0),
    burst int NOT NULL DEFAULT 2 CHECK (burst > 0),
    PRIMARY KEY (trunk, asterisk)
);
COMMENT ON COLUMN dialer_trunks.dial_template IS 'Asterisk channel with {number}, e.g. PJSIP/{number}@carrier';
COMMENT ON COLUMN dialer_trunks.calls_per_second IS 'evenly spaced: 20 is a call each 50 ms';
COMMENT ON COLUMN dialer_trunks.burst IS 'most calls at once: what makes good a turn that came late; never less than 50 ms of calls_per_second';

CREATE TABLE dialer_trunk_states (
    trunk varchar NOT NULL,
    asterisk varchar NOT NULL,
    dial_template varchar NULL,
    state varchar NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'failing')),
    reason varchar NULL,
    since_at timestamptz NOT NULL DEFAULT now(),
    retry_at timestamptz NULL,
    retries int NOT NULL DEFAULT 0,
    streak int NOT NULL DEFAULT 0,
    silent_at timestamptz NULL,
    sound_at timestamptz NULL,
    next_at timestamptz NULL,
    PRIMARY KEY (trunk, asterisk)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_trunk_states IS 'what the dialer knows of each trunk; apart from dialer_trunks, so that nobody who edits those holds up a call';
COMMENT ON COLUMN dialer_trunk_states.dial_template IS 'the template that is failing; with another one the trunk is tried at once';
COMMENT ON COLUMN dialer_trunk_states.streak IS 'attempts ended in a row without so much as ringing; 20 make the trunk failing';
COMMENT ON COLUMN dialer_trunk_states.silent_at IS 'when the first attempt of the streak ended';
COMMENT ON COLUMN dialer_trunk_states.sound_at IS 'the last sign of life';
COMMENT ON COLUMN dialer_trunk_states.next_at IS 'the next call is due (calls_per_second)';

CREATE TABLE dialer_projects (
    project_id varchar NOT NULL PRIMARY KEY,
    wanted varchar NOT NULL DEFAULT 'stop' CHECK (wanted IN ('start', 'stop')),
    state varchar NOT NULL DEFAULT 'stopped' CHECK (state IN ('stopped', 'running', 'idle', 'finished')),
    since_at timestamptz NOT NULL DEFAULT now(),
    until_at timestamptz NULL,
    hungry bool NOT NULL DEFAULT true,
    claims_slow varchar NULL,
    claims_slow_at timestamptz NULL,
    cases_waiting int8 NULL,
    counted_at timestamptz NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON COLUMN dialer_projects.wanted IS 'what was asked; kept over restarts';
COMMENT ON COLUMN dialer_projects.state IS 'what the last claim has found; what stands in the way beside it: dialer_project_states';
COMMENT ON COLUMN dialer_projects.until_at IS 'idle: the next case is due; NULL: unknown';
COMMENT ON COLUMN dialer_projects.hungry IS 'a worker found fewer cases than it could dial: a new one wakes it';
COMMENT ON COLUMN dialer_projects.claims_slow IS 'what keeps a worker from getting cases that wait; NULL: nothing';
COMMENT ON COLUMN dialer_projects.claims_slow_at IS 'since when';

CREATE TABLE dialer_fitness (
    project_id varchar NOT NULL,
    asterisk varchar NOT NULL,
    reason varchar NOT NULL,
    since_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    retries int NOT NULL,
    PRIMARY KEY (project_id, asterisk)
);
COMMENT ON TABLE dialer_fitness IS 'what a project lacks on an Asterisk (queue, context, extension, permission); no row: nothing is known to be missing';
COMMENT ON COLUMN dialer_fitness.until_at IS 'when it is looked at again';

CREATE TABLE dialer_troubles (
    kind varchar NOT NULL CHECK (kind IN ('project', 'trunk', 'asterisk', 'worker', 'case')),
    subject varchar NOT NULL,
    asterisk varchar NOT NULL,
    step varchar NOT NULL,
    detail varchar NOT NULL,
    since_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (kind, subject, asterisk, step)
);
COMMENT ON TABLE dialer_troubles IS 'what keeps one project, trunk, Asterisk, worker or case from being served, while the others are; gone by itself when it is over';
COMMENT ON COLUMN dialer_troubles.subject IS 'its name; of a case the id';
COMMENT ON COLUMN dialer_troubles.told_at IS 'the last time that it was seen; who has it tells it again and again';

CREATE TABLE dialer_claims (
    case_id int8 NOT NULL PRIMARY KEY,
    project_id varchar NOT NULL,
    asterisk varchar NOT NULL,
    worker_id int8 NOT NULL,
    epoch int8 NOT NULL,
    kind varchar NOT NULL CHECK (kind IN ('scheduled', 'redial', 'fresh')),
    due_at timestamptz NULL,
    place bigserial NOT NULL,
    claimed_at timestamptz NOT NULL,
    case_inserted_at timestamptz NOT NULL,
    attempt_id int8 NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_claims IS 'the guard against a second dial: one row per case in hand';
CREATE INDEX dialer_claims_project_id ON dialer_claims (project_id);
CREATE INDEX dialer_claims_asterisk ON dialer_claims (asterisk);

CREATE TABLE dialer_live (
    phone_number varchar NOT NULL PRIMARY KEY,
    case_id int8 NOT NULL,
    project_id varchar NOT NULL,
    asterisk varchar NOT NULL,
    trunk varchar NOT NULL,
    attempt_id int8 NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_live IS 'one live call per number, over all projects; lines in use are counted here';
CREATE INDEX dialer_live_project_id ON dialer_live (project_id);
CREATE INDEX dialer_live_trunk ON dialer_live (trunk, asterisk);

CREATE TABLE dialer_calls (
    id bigserial NOT NULL PRIMARY KEY,
    case_id int8 NOT NULL,
    case_name varchar NOT NULL,
    project_id varchar NOT NULL,
    phone_number varchar NOT NULL,
    case_inserted_at timestamptz NOT NULL,
    asterisk varchar NOT NULL,
    trunk varchar NOT NULL,
    worker_id int8 NOT NULL,
    epoch int8 NOT NULL,
    type varchar NOT NULL,
    queue varchar NOT NULL,
    kind varchar NOT NULL,
    due_at timestamptz NULL,
    redials_done int NOT NULL,
    brought_back int NOT NULL,
    channel_id varchar NOT NULL UNIQUE,
    action_id varchar NOT NULL UNIQUE,
    channel varchar NOT NULL,
    dial_seconds numeric(9, 3) NOT NULL,
    abandon_seconds numeric(6, 3) NOT NULL,
    state varchar NOT NULL DEFAULT 'begun'
        CHECK (state IN ('begun', 'dialing', 'ringing', 'answered', 'waiting', 'connected', 'ended')),
    outcome varchar NULL CHECK (outcome IN ('ANSWERED', 'ABANDONED', 'EARLY_HANGUP', 'MACHINE', 'BUSY', 'NOANSWER', 'REJECTED',
        'INVALID', 'CONGESTION', 'UNAVAILABLE', 'FAILED', 'CANCELLED', 'TECHNICAL', 'LOST')),
    disposition varchar NULL,
    cause int NULL,
    detail varchar NULL,
    agent varchar NULL,
    effect varchar NULL CHECK (effect IN ('used', 'redial', 'back', 'kept')),
    begun_at timestamptz NOT NULL,
    dialing_at timestamptz NULL,
    ringing_at timestamptz NULL,
    answered_at timestamptz NULL,
    waiting_at timestamptz NULL,
    agent_at timestamptz NULL,
    amd_at timestamptz NULL,
    amd_verdict varchar NULL CHECK (amd_verdict IN ('HUMAN', 'MACHINE', 'NOTSURE', 'HANGUP')),
    played_at timestamptz NULL,
    abandoned_at timestamptz NULL,
    ended_at timestamptz NULL,
    ring_seconds numeric(12, 3) NULL,
    wait_seconds numeric(12, 3) NULL,
    talk_seconds numeric(12, 3) NULL,
    not_posted varchar NULL,
    counts_as varchar NULL
        GENERATED ALWAYS AS (CASE
            WHEN outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN NULL
            WHEN abandoned_at IS NOT NULL THEN 'abandoned'
            WHEN ended_at IS NOT NULL AND agent_at IS NOT NULL THEN 'connected'
            WHEN outcome = 'LOST' THEN 'lost'
        END) STORED,
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_calls IS 'attempts under way, one row each, committed before Originate is sent; at its end a row moves to dialer_attempts (dialer_post)';
COMMENT ON COLUMN dialer_calls.state IS 'where the call is; outcome: how it ended; disposition: what the agent noted';
COMMENT ON COLUMN dialer_calls.not_posted IS 'ended, and why it is not in dialer_attempts yet: the server''s words';
COMMENT ON COLUMN dialer_calls.case_inserted_at IS 'dialer_clients.inserted_at of the case that was dialled';
CREATE INDEX dialer_calls_case_id ON dialer_calls (case_id);
-- dialer_open_attempts
CREATE INDEX dialer_calls_asterisk ON dialer_calls (asterisk, id);

CREATE TABLE dialer_attempts (
    id int8 NOT NULL PRIMARY KEY,
    case_id int8 NOT NULL,
    case_name varchar NOT NULL,
    project_id varchar NOT NULL,
    phone_number varchar NOT NULL,
    case_inserted_at timestamptz NOT NULL,
    asterisk varchar NOT NULL,
    trunk varchar NOT NULL,
    worker_id int8 NOT NULL,
    epoch int8 NOT NULL,
    type varchar NOT NULL,
    queue varchar NOT NULL,
    kind varchar NOT NULL,
    due_at timestamptz NULL,
    redials_done int NOT NULL,
    brought_back int NOT NULL,
    channel_id varchar NOT NULL UNIQUE,
    action_id varchar NOT NULL,
    channel varchar NOT NULL,
    dial_seconds numeric(9, 3) NOT NULL,
    abandon_seconds numeric(6, 3) NOT NULL,
    state varchar NOT NULL CHECK (state = 'ended'),
    outcome varchar NOT NULL REFERENCES dialer_outcomes,
    disposition varchar NULL,
    cause int NULL,
    detail varchar NULL,
    agent varchar NULL,
    effect varchar NOT NULL CHECK (effect IN ('used', 'redial', 'back', 'kept')),
    begun_at timestamptz NOT NULL,
    dialing_at timestamptz NULL,
    ringing_at timestamptz NULL,
    answered_at timestamptz NULL,
    waiting_at timestamptz NULL,
    agent_at timestamptz NULL,
    amd_at timestamptz NULL,
    amd_verdict varchar NULL CHECK (amd_verdict IN ('HUMAN', 'MACHINE', 'NOTSURE', 'HANGUP')),
    played_at timestamptz NULL,
    abandoned_at timestamptz NULL,
    ended_at timestamptz NOT NULL,
    ring_seconds numeric(12, 3) NULL,
    wait_seconds numeric(12, 3) NULL,
    talk_seconds numeric(12, 3) NULL,
    counts_as varchar NULL
        GENERATED ALWAYS AS (CASE
            WHEN outcome = 'MACHINE' OR amd_verdict = 'MACHINE' THEN NULL
            WHEN abandoned_at IS NOT NULL THEN 'abandoned'
            WHEN ended_at IS NOT NULL AND agent_at IS NOT NULL THEN 'connected'
            WHEN outcome = 'LOST' THEN 'lost'
        END) STORED
);
COMMENT ON TABLE dialer_attempts IS 'the ledger: one row per attempt that has ended; those under way stand in dialer_calls, both in dialer_stat_attempt';
COMMENT ON COLUMN dialer_attempts.case_inserted_at IS 'dialer_clients.inserted_at of the case that was dialled';
COMMENT ON COLUMN dialer_attempts.cause IS 'hangup cause of our channel (ITU-T Q.850); NULL: no channel';
COMMENT ON COLUMN dialer_attempts.effect IS 'what its end did to the case';
COMMENT ON COLUMN dialer_attempts.amd_verdict IS 'what AMD() said (its AMDSTATUS), at amd_at';
COMMENT ON COLUMN dialer_attempts.abandoned_at IS 'a person answered and had no agent at the end of abandon_seconds (counted from AMD''s verdict where there is one), or left as abandoned before';
COMMENT ON COLUMN dialer_attempts.counts_as IS 'in the abandon rate, abandoned / (connected + abandoned), people only; lost: beside it';
COMMENT ON COLUMN dialer_attempts.ring_seconds IS 'from ringing (else dialling) to the answer or the end';
COMMENT ON COLUMN dialer_attempts.wait_seconds IS 'from the answer to the agent, or to the end without one';
COMMENT ON COLUMN dialer_attempts.talk_seconds IS 'from the agent (autoinforming: the answer) to the end';
CREATE INDEX dialer_attempts_case_id ON dialer_attempts (case_id);
-- dialer_stat_project and its kin
CREATE INDEX dialer_attempts_project_ended ON dialer_attempts (project_id, ended_at);
-- dialer_abandon_ledger
CREATE INDEX dialer_attempts_counted ON dialer_attempts (project_id, counts_as, ended_at) WHERE counts_as IS NOT NULL;
-- dialer_trunk_trip: the streak
CREATE INDEX dialer_attempts_trunk_begun ON dialer_attempts (trunk, asterisk, begun_at);

CREATE TABLE dialer_agents (
    asterisk varchar NOT NULL,
    queue varchar NOT NULL,
    interface varchar NOT NULL,
    name varchar NOT NULL,
    state varchar NOT NULL
        CHECK (state IN ('free', 'ringing', 'talking', 'wrapup', 'paused', 'unavailable')),
    since_at timestamptz NOT NULL,
    PRIMARY KEY (asterisk, queue, interface)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_agents IS 'queue members as the owner of their Asterisk sees them';

CREATE TABLE dialer_away (
    attempt_id int8 NOT NULL PRIMARY KEY,
    case_id int8 NOT NULL,
    project_id varchar NOT NULL,
    phone_number varchar NOT NULL,
    case_inserted_at timestamptz NOT NULL,
    outcome varchar NOT NULL,
    ended_at timestamptz NOT NULL
);
COMMENT ON TABLE dialer_away IS 'calls that have ended while their case was not in dialer_clients: one that comes back is not called again for them';
CREATE INDEX dialer_away_case_id ON dialer_away (case_id);
CREATE INDEX dialer_away_ended ON dialer_away (ended_at);
CREATE TABLE dialer_abandoned (
    phone_number varchar NOT NULL PRIMARY KEY,
    until_at timestamptz NOT NULL,
    project_id varchar NOT NULL,
    attempt_id int8 NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_abandoned IS 'numbers that were abandoned: until then called only with an agent guaranteed, in whatever project';
COMMENT ON COLUMN dialer_abandoned.attempt_id IS 'the attempt that abandoned it last, of project_id';
-- dialer_prune
CREATE INDEX dialer_abandoned_until ON dialer_abandoned (until_at);

CREATE TABLE dialer_pacing_state (
    project_id varchar NOT NULL PRIMARY KEY,
    learned text NOT NULL,
    saved_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE dialer_pacing_state IS 'what the pacing of a project has learned; survives the worker';

CREATE TABLE dialer_pacing_journal (
    id bigserial NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    asterisk varchar NOT NULL,
    project_id varchar NOT NULL,
    mode varchar NOT NULL CHECK (mode IN ('predictive', 'progressive', 'ratio')),
    quota int NOT NULL,
    granted int NOT NULL,
    reason varchar NOT NULL,
    inputs text NOT NULL
);
COMMENT ON TABLE dialer_pacing_journal IS 'one row per decision of the pacing; kept for journal_hours of dialer_settings';
COMMENT ON COLUMN dialer_pacing_journal.quota IS 'calls that the pacing wanted to begin';
COMMENT ON COLUMN dialer_pacing_journal.granted IS 'what lines, calls per second and priority left of them';
COMMENT ON COLUMN dialer_pacing_journal.inputs IS 'JSON: all that the decision was made from';
-- dialer_stat_pacing: the last decision
CREATE INDEX dialer_pacing_journal_project ON dialer_pacing_journal (project_id, id);
-- dialer_prune
CREATE INDEX dialer_pacing_journal_at ON dialer_pacing_journal (at);

-- Down: what 0001 has made goes, with every row.
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
