-- dialer_attempt_finish(p_worker, p_asterisk, p_epoch, p_reports, p_now) -> bool
-- How calls have ended. p_reports: JSON array of {"attempt_id", "outcome", "cause", "detail", "ended": seconds
-- ago, "steps", "agent", "amd", "keys"} (as in dialer_attempt_advance). An attempt ends once: its outcome, the case's
-- next call (dialer_case_settle), the number, the claim and the trunk's streak change in this one transaction; the same
-- report again changes nothing. Then the attempt goes into the ledger and dialer_stat (dialer_post). False: p_worker is
-- not the owner, nothing is written. "unsent": true means that Originate was never sent, so the end says nothing about
-- the trunk. Whatever the report says, a call that AMD() took for a machine and that no agent spoke to is MACHINE, and
-- not abandoned. A person's patience (abandon_seconds) begins with AMD's verdict if there is one: the completed
-- greeting of 16 CFR 310.4(b)(4). Whoever asks for an agent after a message (autoinforming) has not been abandoned. A
-- number that was abandoned goes into dialer_abandoned (dialer_abandoned_add); one that is to rest, into
-- dialer_number_pauses (dialer_pause_add).
-- Locks, in this order: Asterisk, trunks (dialer_trunk_lock), attempts, numbers, claims, cases.
CREATE OR REPLACE FUNCTION dialer_attempt_finish(
    p_worker bigint,
    p_asterisk varchar,
    p_epoch bigint,
    p_reports text,
    p_now timestamptz
)
RETURNS bool
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_now timestamptz;
    v_report jsonb;
    v_attempt dialer_calls;
    v_outcome varchar;
    v_limit timestamptz;
    v_ended timestamptz;
    v_life timestamptz;
    v_reached bool;
    v_silent varchar[] := '{}';
    v_posted bool := true;
BEGIN
    IF NOT dialer_owns(p_worker, p_asterisk, p_epoch) THEN
        RETURN false;
    END IF;
    v_now := dialer_instant(p_now);
    PERFORM dialer_trunk_lock(t.trunk, p_asterisk)
    FROM (
        SELECT DISTINCT a.trunk FROM dialer_calls a
        JOIN jsonb_array_elements(p_reports::jsonb) q (value) ON a.id = (q.value ->> 'attempt_id')::bigint
        WHERE a.asterisk = p_asterisk
        ORDER BY a.trunk
    ) t;
    FOR v_report IN
        SELECT q.value FROM jsonb_array_elements(p_reports::jsonb) q (value)
        ORDER BY (q.value ->> 'attempt_id')::bigint
    LOOP
        SELECT * INTO v_attempt FROM dialer_calls a
        WHERE a.id = (v_report ->> 'attempt_id')::bigint AND a.asterisk = p_asterisk AND a.ended_at IS NULL
        FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        PERFORM dialer_attempt_step(v_attempt.id, v_report, v_now);
        v_ended := v_now - coalesce((v_report ->> 'ended')::float8, 0) * interval '1 second';
        SELECT CASE
                WHEN a.amd_verdict = 'MACHINE' AND a.agent_at IS NULL
                    AND v_report ->> 'outcome' IN ('ANSWERED', 'ABANDONED', 'EARLY_HANGUP') THEN 'MACHINE'
                ELSE v_report ->> 'outcome'
            END,
            CASE WHEN a.amd_verdict IN ('HUMAN', 'NOTSURE') THEN coalesce(a.amd_at, a.answered_at)
                ELSE a.answered_at END + a.abandon_seconds * interval '1 second'
        INTO v_outcome, v_limit
        FROM dialer_calls a WHERE a.id = v_attempt.id;
        UPDATE dialer_calls a
        SET state = 'ended',
            outcome = v_outcome,
            cause = (v_report ->> 'cause')::int,
            detail = left(v_report ->> 'detail', 400),
            ended_at = v_ended,
            ring_seconds = extract(epoch FROM coalesce(a.answered_at, v_ended) - coalesce(a.ringing_at, a.dialing_at)),
            wait_seconds = extract(epoch FROM coalesce(a.agent_at, v_ended) - a.answered_at),
            talk_seconds = extract(epoch FROM v_ended - CASE
                WHEN a.agent_at IS NOT NULL THEN a.agent_at
                WHEN v_outcome = 'ANSWERED' THEN a.answered_at
            END),
            abandoned_at = CASE
                WHEN v_outcome = 'ABANDONED' OR (v_outcome = 'ANSWERED' AND a.type <> 'autoinforming' AND a.agent_at > v_limit)
                THEN least(v_limit, v_ended)
            END
        WHERE a.id = v_attempt.id
        RETURNING * INTO v_attempt;
        IF v_attempt.abandoned_at IS NOT NULL THEN
            PERFORM dialer_abandoned_add(v_attempt.number, v_attempt.abandoned_at, v_attempt.project_id,
                v_attempt.id);
        END IF;
        PERFORM dialer_pause_add(v_attempt.id, v_now);
        v_life := greatest(v_attempt.ringing_at, v_attempt.answered_at);
        SELECT o.reached OR v_life IS NOT NULL,
            CASE WHEN o.reached AND v_attempt.answered_at IS NULL THEN v_ended ELSE coalesce(v_life, v_ended) END
        INTO v_reached, v_life
        FROM dialer_outcomes o WHERE o.outcome = v_attempt.outcome;
        IF coalesce((v_report ->> 'unsent')::bool, false) THEN
            v_reached := NULL;
        END IF;
        IF NOT v_reached THEN
            v_silent := v_silent || v_attempt.trunk;
        END IF;
        PERFORM dialer_trunk_settle(v_attempt.trunk, v_attempt.asterisk, v_reached, v_life);
        DELETE FROM dialer_live l WHERE l.number = v_attempt.number AND l.attempt_id = v_attempt.id;
        PERFORM FROM dialer_claims l
        WHERE l.case_id = v_attempt.case_id AND l.attempt_id = v_attempt.id FOR UPDATE;
        IF dialer_case_settle(v_attempt.id, v_reached, v_now) THEN
            DELETE FROM dialer_claims l WHERE l.case_id = v_attempt.case_id AND l.attempt_id = v_attempt.id;
        END IF;
        IF v_posted IS NOT NULL THEN
            v_posted := dialer_post(v_attempt.id);  -- if it could not, dialer_reap posts the others
        END IF;
    END LOOP;
    PERFORM dialer_trunk_trip(t.trunk, t.asterisk, v_now)
    FROM dialer_trunk_states t
    WHERE t.asterisk = p_asterisk AND t.trunk = ANY (v_silent) AND t.streak >= 20;
    RETURN true;
END
$$
