-- dialer_attempt_step(p_attempt, p_report, p_now)
-- Write the steps of a report (see dialer_attempt_advance) into an attempt that has not ended: the first instant
-- reported for each step stays, and the state only moves forward, whatever the order of the reports.
CREATE OR REPLACE FUNCTION dialer_attempt_step(p_attempt bigint, p_report jsonb, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_ago jsonb := p_report -> 'steps';
BEGIN
    UPDATE dialer_calls a
    SET dialing_at = coalesce(a.dialing_at, p_now - (v_ago ->> 'dialing')::float8 * interval '1 second'),
        ringing_at = coalesce(a.ringing_at, p_now - (v_ago ->> 'ringing')::float8 * interval '1 second'),
        answered_at = coalesce(a.answered_at, p_now - (v_ago ->> 'answered')::float8 * interval '1 second'),
        amd_at = coalesce(a.amd_at, p_now - (v_ago ->> 'amd')::float8 * interval '1 second'),
        waiting_at = coalesce(a.waiting_at, p_now - (v_ago ->> 'waiting')::float8 * interval '1 second'),
        agent_at = coalesce(a.agent_at, p_now - (v_ago ->> 'agent')::float8 * interval '1 second'),
        played_at = coalesce(a.played_at, p_now - (v_ago ->> 'played')::float8 * interval '1 second'),
        amd_verdict = coalesce(a.amd_verdict, p_report ->> 'amd'),
        agent = coalesce(a.agent, p_report ->> 'agent')
    WHERE a.id = p_attempt AND a.ended_at IS NULL;
    UPDATE dialer_calls a
    SET state = CASE
            WHEN a.agent_at IS NOT NULL THEN 'connected'
            WHEN a.waiting_at IS NOT NULL THEN 'waiting'
            WHEN a.answered_at IS NOT NULL THEN 'answered'
            WHEN a.ringing_at IS NOT NULL THEN 'ringing'
            WHEN a.dialing_at IS NOT NULL THEN 'dialing'
            ELSE 'begun'
        END
    WHERE a.id = p_attempt AND a.ended_at IS NULL;
END
$$
