-- dialer_stat_attempt: one row per attempt, those under way (ended_at NULL) and those in the ledger.
CREATE OR REPLACE VIEW dialer_stat_attempt AS
SELECT
    id AS attempt_id, case_id, case_name, project_id, phone_number, number, case_inserted_at, type, asterisk, trunk, queue, kind,
    due_at, redials_done, brought_back, channel_id, channel, dial_seconds, abandon_seconds, state, outcome, effect,
    disposition, cause, detail, agent, begun_at, dialing_at, ringing_at, answered_at, amd_at, amd_verdict, waiting_at,
    agent_at, played_at, abandoned_at, ended_at, ring_seconds, wait_seconds, talk_seconds, counts_as,
    caller_id, keys_pressed, number_place
FROM dialer_attempts
UNION ALL
SELECT
    id, case_id, case_name, project_id, phone_number, number, case_inserted_at, type, asterisk, trunk, queue, kind,
    due_at, redials_done, brought_back, channel_id, channel, dial_seconds, abandon_seconds, state, outcome, effect,
    disposition, cause, detail, agent, begun_at, dialing_at, ringing_at, answered_at, amd_at, amd_verdict, waiting_at,
    agent_at, played_at, abandoned_at, ended_at, ring_seconds, wait_seconds, talk_seconds, counts_as,
    caller_id, keys_pressed, number_place
FROM dialer_calls
