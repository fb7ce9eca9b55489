-- dialer_trunk_trip(p_trunk, p_asterisk, p_now)
-- Twenty attempts in a row without so much as ringing: the trunk is failing, and their cases go back as
-- they were, to wait for the next try. In a row: since the last sign of life, which may be that of a call
-- still up. A case that was called several times since goes back by as many steps. The caller holds the
-- trunk's row.
CREATE OR REPLACE FUNCTION dialer_trunk_trip(p_trunk varchar, p_asterisk varchar, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_trunk dialer_trunks;
    v_attempt dialer_attempts;
    v_life timestamptz;
    v_silent bigint[];
BEGIN
    SELECT * INTO v_trunk FROM dialer_trunks t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT coalesce(greatest(v_trunk.sound_at, max(greatest(a.ringing_at, a.answered_at))), '-infinity') INTO v_life
    FROM dialer_live l
    JOIN dialer_attempts a ON a.id = l.attempt_id
    WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk;
    -- Nobody rings for longer than dial_time, ten minutes at most: so far back their beginnings lie.
    v_silent := ARRAY(
        SELECT a.id FROM dialer_attempts a
        JOIN dialer_outcomes o ON o.outcome = a.outcome AND NOT o.reached
        WHERE a.trunk = p_trunk
          AND a.asterisk = p_asterisk
          AND a.begun_at > v_life - interval '20 minutes'
          AND a.ended_at >= v_life
          AND a.ringing_at IS NULL
          AND a.answered_at IS NULL
        ORDER BY a.begun_at DESC
        LIMIT 2000);
    IF v_trunk.state = 'ok' AND cardinality(v_silent) < 20 THEN
        RETURN;
    END IF;
    -- Calls that were up when it tripped end in the meantime; only a try that failed lengthens the interval.
    IF v_trunk.state = 'ok' OR v_trunk.retry_at <= p_now THEN
        UPDATE dialer_trunks t
        SET state = 'failing',
            since_at = CASE WHEN t.state = 'failing' THEN t.since_at ELSE p_now END,
            reason = t.streak || ' attempts in a row ended without ringing; look at the carrier behind '
                || t.dial_template,
            retry_at = p_now + least(300, 5 * 2 ^ least(t.retries, 6)) * interval '1 second',
            retries = t.retries + 1
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk
        RETURNING * INTO v_trunk;
    END IF;
    FOR v_attempt IN
        SELECT a.* FROM dialer_attempts a
        WHERE a.id = ANY (v_silent) AND a.effect <> 'kept'
        ORDER BY a.case_id, a.id DESC
    LOOP
        -- The case becomes what it was before the attempt, down to last_attempt_id, so that an earlier one of
        -- the streak can be taken back as well. That this id changes tells the trigger that the dialer writes.
        -- A case that was withdrawn, promised or brought back since is left as it is.
        UPDATE dialer_clients c
        SET used = false,
            deferred_time = v_attempt.due_at,
            deferred_kind = nullif(v_attempt.kind, 'fresh'),
            deferred_done = false,
            redials_done = v_attempt.redials_done,
            failures = CASE WHEN v_attempt.outcome = 'FAILED' THEN 0 ELSE c.failures END,
            not_before_at = v_trunk.retry_at,
            last_attempt_id = (
                SELECT max(p.id) FROM dialer_attempts p
                WHERE p.case_id = v_attempt.case_id AND p.id < v_attempt.id)
        WHERE c.id = v_attempt.case_id
          AND c.last_attempt_id = v_attempt.id
          AND c.brought_back = v_attempt.brought_back
          AND CASE v_attempt.effect
              WHEN 'used' THEN c.used
              WHEN 'redial' THEN NOT c.used AND c.deferred_kind = 'redial' AND NOT c.deferred_done
              ELSE NOT c.used
                AND c.deferred_time IS NOT DISTINCT FROM v_attempt.due_at
                AND coalesce(c.deferred_kind, 'fresh') = v_attempt.kind
                AND NOT c.deferred_done
          END;
        IF FOUND THEN
            UPDATE dialer_attempts SET effect = 'back' WHERE id = v_attempt.id;
        END IF;
    END LOOP;
    PERFORM dialer_wake('');
END
$$
