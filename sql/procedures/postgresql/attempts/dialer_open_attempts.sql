-- dialer_open_attempts(p_asterisk, p_now) -> attempts without an end, with the age in seconds of each step
-- For the owner of an Asterisk after it took over or connected: the calls that it has to look for there.
-- signed_off: the worker that began it signed off properly, so no Originate for it is still on its way to Asterisk.
CREATE OR REPLACE FUNCTION dialer_open_attempts(p_asterisk varchar, p_now timestamptz)
RETURNS TABLE (
    attempt_id bigint,
    case_id bigint,
    project_id varchar,
    phone_number varchar,
    type varchar,
    queue varchar,
    trunk varchar,
    channel_id varchar,
    action_id varchar,
    epoch bigint,
    dial_seconds numeric,
    abandon_seconds numeric,
    agent varchar,
    amd_verdict varchar,
    keys_pressed varchar,
    signed_off bool,
    begun_ago double precision,
    dialing_ago double precision,
    ringing_ago double precision,
    answered_ago double precision,
    amd_ago double precision,
    waiting_ago double precision,
    agent_ago double precision,
    played_ago double precision
)
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz := dialer_instant(p_now);
BEGIN
    RETURN QUERY
    SELECT a.id, a.case_id, a.project_id, a.phone_number, a.type, a.queue, a.trunk, a.channel_id, a.action_id,
        a.epoch, a.dial_seconds, a.abandon_seconds, a.agent, a.amd_verdict,
        a.keys_pressed,
        w.stopped_at IS NOT NULL,
        extract(epoch FROM v_now - a.begun_at)::double precision,
        extract(epoch FROM v_now - a.dialing_at)::double precision,
        extract(epoch FROM v_now - a.ringing_at)::double precision,
        extract(epoch FROM v_now - a.answered_at)::double precision,
        extract(epoch FROM v_now - a.amd_at)::double precision,
        extract(epoch FROM v_now - a.waiting_at)::double precision,
        extract(epoch FROM v_now - a.agent_at)::double precision,
        extract(epoch FROM v_now - a.played_at)::double precision
    FROM dialer_calls a
    LEFT JOIN dialer_workers w ON w.id = a.worker_id
    WHERE a.asterisk = p_asterisk AND a.ended_at IS NULL
    ORDER BY a.id;
END
$$
