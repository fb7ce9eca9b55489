-- dialer_stat_attempt: the ledger for BI: one row per attempt, without the dialer's own bookkeeping.
CREATE OR REPLACE VIEW dialer_stat_attempt AS
SELECT
    id AS attempt_id, case_id, case_name, project_id, phone_number, type, asterisk, trunk, kind, state, outcome,
    disposition, cause, detail, agent, begun_at, dialing_at, ringing_at, answered_at, amd_at, amd_verdict,
    waiting_at, agent_at, played_at, abandoned_at, ended_at, ring_seconds, wait_seconds, talk_seconds, counts_as
FROM dialer_attempts
