-- dialer_trunk_trip(p_trunk, p_asterisk, p_now)
-- If twenty attempts in a row do not even ring, the trunk is failing, and their cases go back as they were, to wait for
-- the next try. "In a row" means since the last sign of life, which a call still up may have given. A case that was
-- called several times since then goes back by as many steps; one with three INVALID of its own stays used. Cases that
-- somebody's transaction holds are left for the next time. The caller holds the row (dialer_trunk_lock).
CREATE OR REPLACE FUNCTION dialer_trunk_trip(p_trunk varchar, p_asterisk varchar, p_now timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
DECLARE
    v_trunk dialer_trunk_states;
    v_attempt record;
    v_life timestamptz;
    v_silent bigint[];
BEGIN
    SELECT * INTO v_trunk FROM dialer_trunk_states t WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk;
    SELECT coalesce(greatest(v_trunk.sound_at, max(greatest(a.ringing_at, a.answered_at))), '-infinity') INTO v_life
    FROM dialer_live l
    JOIN dialer_calls a ON a.id = l.attempt_id
    WHERE l.trunk = p_trunk AND l.asterisk = p_asterisk;
    -- No call rings for longer than dial_time, ten minutes at most, so they began no longer ago than that.
    v_silent := ARRAY(
        SELECT a.attempt_id FROM dialer_stat_attempt a
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
    -- Calls that were up when it tripped end meanwhile; only a failed try lengthens the interval.
    IF v_trunk.state = 'ok' OR v_trunk.retry_at <= p_now THEN
        UPDATE dialer_trunk_states t
        SET state = 'failing',
            dial_template = d.dial_template,
            since_at = CASE WHEN t.state = 'failing' THEN t.since_at ELSE p_now END,
            reason = t.streak || ' attempts in a row ended without ringing; look at the carrier behind '
                || d.dial_template,
            retry_at = p_now + dialer_backoff(5, t.retries, 300) * interval '1 second',
            retries = t.retries + 1
        FROM dialer_trunks d
        WHERE t.trunk = p_trunk AND t.asterisk = p_asterisk AND d.trunk = t.trunk AND d.asterisk = t.asterisk
        RETURNING t.* INTO v_trunk;
    END IF;
    FOR v_attempt IN
        SELECT a.* FROM dialer_stat_attempt a
        WHERE a.attempt_id = ANY (v_silent)
          AND a.effect <> 'kept'
          AND NOT (a.outcome = 'INVALID' AND dialer_invalid_count(a.attempt_id) >= 3)
        ORDER BY a.case_id, a.attempt_id DESC
    LOOP
        PERFORM FROM dialer_clients c WHERE c.id = v_attempt.case_id FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        PERFORM FROM dialer_attempts a WHERE a.id = v_attempt.attempt_id FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND AND EXISTS (SELECT FROM dialer_attempts a WHERE a.id = v_attempt.attempt_id);
        -- The case becomes what it was before the attempt, including last_attempt_id, so that an earlier attempt of the
        -- streak can be taken back as well. The trigger sees from this id changing that the dialer is writing. A case
        -- that was withdrawn, promised or brought back since, or is another case by now, is left as it is.
        UPDATE dialer_clients c
        SET used = false,
            deferred_time = v_attempt.due_at,
            deferred_kind = nullif(v_attempt.kind, 'fresh'),
            deferred_done = false,
            redials_done = v_attempt.redials_done,
            failures = CASE WHEN v_attempt.outcome = 'FAILED' THEN 0 ELSE c.failures END,
            not_before_at = v_trunk.retry_at,
            last_attempt_id = (
                SELECT max(p.attempt_id) FROM dialer_stat_attempt p
                WHERE p.case_id = v_attempt.case_id AND p.attempt_id < v_attempt.attempt_id)
        WHERE c.id = v_attempt.case_id
          AND c.last_attempt_id = v_attempt.attempt_id
          AND c.inserted_at = v_attempt.case_inserted_at
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
            UPDATE dialer_attempts SET effect = 'back' WHERE id = v_attempt.attempt_id;
            UPDATE dialer_calls SET effect = 'back' WHERE id = v_attempt.attempt_id;
        END IF;
    END LOOP;
    PERFORM dialer_wake('');
END
$$
