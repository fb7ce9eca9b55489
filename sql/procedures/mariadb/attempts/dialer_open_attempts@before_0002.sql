-- dialer_open_attempts(p_asterisk, p_now) -> attempts without an end, with the age in seconds of each step
-- For the owner of an Asterisk after it took over or connected: the calls that it has to look for there.
-- signed_off: the worker that began it signed off properly, so no Originate for it is still on its way to Asterisk.
CREATE OR REPLACE PROCEDURE dialer_open_attempts(p_asterisk varchar(400), p_now datetime(6))
BEGIN
    DECLARE v_now datetime(6);
    SELECT dialer_instant(p_now) INTO v_now;
    SELECT a.id AS attempt_id, a.case_id, a.project_id, a.phone_number, a.type, a.queue, a.trunk, a.channel_id,
        a.action_id, a.epoch, a.dial_seconds, a.abandon_seconds, a.agent, a.amd_verdict,
        w.stopped_at IS NOT NULL AS signed_off,
        timestampdiff(MICROSECOND, a.begun_at, v_now) / 1000000e0 AS begun_ago,
        timestampdiff(MICROSECOND, a.dialing_at, v_now) / 1000000e0 AS dialing_ago,
        timestampdiff(MICROSECOND, a.ringing_at, v_now) / 1000000e0 AS ringing_ago,
        timestampdiff(MICROSECOND, a.answered_at, v_now) / 1000000e0 AS answered_ago,
        timestampdiff(MICROSECOND, a.amd_at, v_now) / 1000000e0 AS amd_ago,
        timestampdiff(MICROSECOND, a.waiting_at, v_now) / 1000000e0 AS waiting_ago,
        timestampdiff(MICROSECOND, a.agent_at, v_now) / 1000000e0 AS agent_ago,
        timestampdiff(MICROSECOND, a.played_at, v_now) / 1000000e0 AS played_ago
    FROM dialer_calls a
    LEFT JOIN dialer_workers w ON w.id = a.worker_id
    WHERE a.asterisk = p_asterisk AND a.ended_at IS NULL
    ORDER BY a.id;
END
