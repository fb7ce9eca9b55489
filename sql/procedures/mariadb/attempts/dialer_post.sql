-- dialer_post(p_attempt) -> bool
-- An attempt that has ended and settled its case moves from dialer_calls into the ledger, and into dialer_stat. People
-- work on both tables (they delete old rows, build an index, add a trigger), so nobody waits for them: not_posted keeps
-- the server's words, and dialer_reap tries again. False: this attempt was refused; NULL: others would fail, too,
-- because somebody is in the way or a trigger takes all the time there is.
-- dial_count goes on for the same case (project, number and inserted_at as in the attempt); another case with the same
-- id begins at 0. Attempts may come in any order: the one that ended last decides the case's state.
CREATE OR REPLACE PROCEDURE dialer_post(p_attempt bigint, OUT p_posted tinyint(1))
BEGIN
    DECLARE v_why text;
    DECLARE v_number int;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        GET DIAGNOSTICS CONDITION 1 v_why = MESSAGE_TEXT, v_number = MYSQL_ERRNO;
        ROLLBACK TO SAVEPOINT dialer_post;
        UPDATE dialer_calls SET not_posted = left(v_why, 400) WHERE id = p_attempt;
        SET p_posted = IF(v_number IN (1205, 1213, 1969), NULL, false);
    END;
    SAVEPOINT dialer_post;
    SET STATEMENT innodb_lock_wait_timeout = 0, lock_wait_timeout = 0 FOR
    INSERT INTO dialer_stat (
        id, case_name, project_id, phone_number, dial_count, ended, state, case_inserted_at, counted_from)
    SELECT a.case_id, a.case_name, a.project_id, a.phone_number, IF(a.outcome = 'FAILED', 0, 1), a.ended_at, a.outcome,
        a.case_inserted_at, a.ended_at
    FROM dialer_calls a
    WHERE a.id = p_attempt AND a.ended_at IS NOT NULL AND a.effect IS NOT NULL
    ON DUPLICATE KEY UPDATE
        -- MariaDB assigns from left to right: assignments that compare come first, the values they compare last.
        dial_count = VALUES(dial_count) + IF(
            dialer_stat.project_id <=> VALUES(project_id) AND dialer_stat.phone_number <=> VALUES(phone_number)
            AND dialer_stat.case_inserted_at <=> VALUES(case_inserted_at), dialer_stat.dial_count, 0),
        counted_from = IF(
            dialer_stat.project_id <=> VALUES(project_id) AND dialer_stat.phone_number <=> VALUES(phone_number)
            AND dialer_stat.case_inserted_at <=> VALUES(case_inserted_at),
            least(dialer_stat.counted_from, VALUES(counted_from)), VALUES(counted_from)),
        state = IF(
            dialer_stat.project_id <=> VALUES(project_id) AND dialer_stat.phone_number <=> VALUES(phone_number)
            AND dialer_stat.case_inserted_at <=> VALUES(case_inserted_at)
            AND dialer_stat.ended > VALUES(ended), dialer_stat.state, VALUES(state)),
        ended = IF(
            dialer_stat.project_id <=> VALUES(project_id) AND dialer_stat.phone_number <=> VALUES(phone_number)
            AND dialer_stat.case_inserted_at <=> VALUES(case_inserted_at),
            greatest(dialer_stat.ended, VALUES(ended)), VALUES(ended)),
        case_name = VALUES(case_name),
        project_id = VALUES(project_id),
        phone_number = VALUES(phone_number),
        case_inserted_at = VALUES(case_inserted_at);
    SET STATEMENT innodb_lock_wait_timeout = 0, lock_wait_timeout = 0 FOR
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
    DELETE FROM dialer_calls WHERE id = p_attempt AND ended_at IS NOT NULL AND effect IS NOT NULL;
    RELEASE SAVEPOINT dialer_post;
    SET p_posted = true;
END
