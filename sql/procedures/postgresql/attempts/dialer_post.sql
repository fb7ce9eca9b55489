-- dialer_post(p_attempt) -> bool
-- An attempt that has ended and settled its case moves from dialer_calls into the ledger, and into dialer_stat. People
-- work on both tables (they delete old rows, build an index, add a trigger), so nobody waits for them: not_posted keeps
-- the server's words, and dialer_reap tries again. False: this attempt was refused; NULL: others would fail, too,
-- because somebody is in the way or a trigger takes all the time there is.
-- dial_count goes on for the same case (project, number and inserted_at as in the attempt); another case with the same
-- id begins at 0. Attempts may come in any order: the one that ended last decides the case's state.
CREATE OR REPLACE FUNCTION dialer_post(p_attempt bigint)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
SET lock_timeout = '10ms'
AS $$
BEGIN
    INSERT INTO dialer_stat AS s (
        id, case_name, project_id, phone_number, dial_count, ended, state, case_inserted_at, counted_from)
    SELECT a.case_id, a.case_name, a.project_id, a.phone_number, CASE WHEN a.outcome = 'FAILED' THEN 0 ELSE 1 END,
        a.ended_at, a.outcome, a.case_inserted_at, a.ended_at
    FROM dialer_calls a
    WHERE a.id = p_attempt AND a.ended_at IS NOT NULL AND a.effect IS NOT NULL
    ON CONFLICT (id) DO UPDATE
    SET dial_count = excluded.dial_count + CASE
            WHEN (s.project_id, s.phone_number, s.case_inserted_at)
                = (excluded.project_id, excluded.phone_number, excluded.case_inserted_at) THEN s.dial_count
            ELSE 0 END,
        counted_from = CASE
            WHEN (s.project_id, s.phone_number, s.case_inserted_at)
                = (excluded.project_id, excluded.phone_number, excluded.case_inserted_at)
                THEN least(s.counted_from, excluded.counted_from)
            ELSE excluded.counted_from END,
        case_name = excluded.case_name,
        project_id = excluded.project_id,
        phone_number = excluded.phone_number,
        ended = CASE
            WHEN (s.project_id, s.phone_number, s.case_inserted_at)
                = (excluded.project_id, excluded.phone_number, excluded.case_inserted_at)
                THEN greatest(s.ended, excluded.ended)
            ELSE excluded.ended END,
        state = CASE
            WHEN (s.project_id, s.phone_number, s.case_inserted_at)
                = (excluded.project_id, excluded.phone_number, excluded.case_inserted_at)
                AND s.ended > excluded.ended THEN s.state
            ELSE excluded.state END,
        case_inserted_at = excluded.case_inserted_at;
    INSERT INTO dialer_attempts (
        id, case_id, case_name, project_id, phone_number, number, case_inserted_at, asterisk, trunk, worker_id, epoch, type,
        queue, kind, due_at, redials_done, brought_back, channel_id, action_id, channel, dial_seconds, abandon_seconds,
        state, outcome, disposition, cause, detail, agent, effect, begun_at, dialing_at, ringing_at, answered_at,
        waiting_at, agent_at, amd_at, amd_verdict, played_at, abandoned_at, ended_at, ring_seconds, wait_seconds,
        talk_seconds, caller_id, keys_pressed, number_place, window_key)
    SELECT
        a.id, a.case_id, a.case_name, a.project_id, a.phone_number, a.number, a.case_inserted_at, a.asterisk, a.trunk,
        a.worker_id, a.epoch, a.type, a.queue, a.kind, a.due_at, a.redials_done, a.brought_back, a.channel_id,
        a.action_id, a.channel, a.dial_seconds, a.abandon_seconds, a.state, a.outcome, a.disposition, a.cause, a.detail,
        a.agent, a.effect, a.begun_at, a.dialing_at, a.ringing_at, a.answered_at, a.waiting_at, a.agent_at, a.amd_at,
        a.amd_verdict, a.played_at, a.abandoned_at, a.ended_at, a.ring_seconds, a.wait_seconds, a.talk_seconds,
        a.caller_id, a.keys_pressed, a.number_place, a.window_key
    FROM dialer_calls a
    WHERE a.id = p_attempt AND a.ended_at IS NOT NULL AND a.effect IS NOT NULL;
    DELETE FROM dialer_calls a WHERE a.id = p_attempt AND a.ended_at IS NOT NULL AND a.effect IS NOT NULL;
    SET CONSTRAINTS ALL IMMEDIATE;  -- a deferred constraint that fails would undo the end of the call, too
    RETURN true;
EXCEPTION WHEN query_canceled OR OTHERS THEN
    UPDATE dialer_calls SET not_posted = left(SQLERRM, 400) WHERE id = p_attempt;
    RETURN CASE WHEN SQLSTATE NOT IN ('55P03', '57014', '40P01') THEN false END;
END
$$
