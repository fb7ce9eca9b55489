-- dialer_retry(p_attempt, p_from) -> instant
-- When the case of an attempt that has used one up is to be called again, not before p_from (NULL: whenever); NULL: no
-- more. Who decides, the first of: the row of dialer_retries of the attempt's disposition; the case's list
-- (call_back_period), after outcomes with redial; the row of its outcome. After MACHINE the list only says how many
-- redials there are; the row, else the project's machine_period, how long they wait. Then the caps: the row's `most`
-- counts the calls that ended so since the list last began anew (the first call of such a series has redials_done 0),
-- of a case with several numbers the rounds in which one ended so; dialer_params.most_attempts counts all calls since the
-- case was fresh or brought back. Calls that went back count for neither. The third INVALID of a number is its last,
-- whatever a row says. Where a further number leads nowhere (INVALID, or the agent's code says wrong number), the last
-- call of its round that does not decides in its place. For dialer_case_settle, dialer_dispose and
-- dialer_away_end. Only caps need the ledger; if somebody has locked it as a whole, that is an error at once.
CREATE OR REPLACE FUNCTION dialer_retry(p_attempt bigint, p_from timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET lock_timeout = '10ms'
AS $$
DECLARE
    v_attempt record;
    v_instead record;
    v_outcome dialer_outcomes;
    v_case dialer_clients;
    v_params dialer_params;
    v_found bigint;
    v_row dialer_retries;
    v_done int;
    v_minutes int;
    v_listed bool := false;
    v_alike bigint;
    v_at timestamptz;
    v_zone varchar;
    v_hour int;
BEGIN
    SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.outcome, a.disposition,
        a.begun_at, a.ended_at, a.redials_done, a.number_place
    INTO v_attempt
    FROM dialer_calls a WHERE a.id = p_attempt;
    IF NOT FOUND THEN
        SELECT a.id, a.case_id, a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.outcome, a.disposition,
            a.begun_at, a.ended_at, a.redials_done, a.number_place
        INTO v_attempt
        FROM dialer_attempts a WHERE a.id = p_attempt;
    END IF;
    IF v_attempt.number_place > 1 AND (v_attempt.outcome = 'INVALID' OR dialer_wrong_number(v_attempt.disposition)) THEN
        SELECT a.attempt_id, a.outcome, a.disposition, a.begun_at, a.ended_at INTO v_instead
        FROM dialer_stat_attempt a
        JOIN dialer_outcomes o ON o.outcome = a.outcome
        WHERE a.case_id = v_attempt.case_id
          AND (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back, a.redials_done)
            = (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at, v_attempt.brought_back,
                v_attempt.redials_done)
          AND a.attempt_id < p_attempt AND a.effect = 'moved' AND o.redial AND NOT dialer_wrong_number(a.disposition)
        ORDER BY a.attempt_id DESC LIMIT 1;
        IF FOUND THEN
            v_attempt.id := v_instead.attempt_id;
            v_attempt.outcome := v_instead.outcome;
            v_attempt.disposition := v_instead.disposition;
            v_attempt.begun_at := v_instead.begun_at;
            v_attempt.ended_at := v_instead.ended_at;
        END IF;
    END IF;
    SELECT * INTO v_outcome FROM dialer_outcomes o WHERE o.outcome = v_attempt.outcome;
    SELECT * INTO v_case FROM dialer_clients c WHERE c.id = v_attempt.case_id;
    SELECT * INTO v_params FROM dialer_params p WHERE p.project_id = v_attempt.project_id;
    IF NOT coalesce(v_outcome.uses_attempt, false) THEN
        RETURN NULL;
    END IF;
    IF v_outcome.outcome = 'INVALID' AND dialer_invalid_count(v_attempt.id) >= 3 THEN
        RETURN NULL;
    END IF;
    IF v_attempt.disposition IS NOT NULL THEN
        v_found := dialer_retry_row(v_attempt.project_id, v_attempt.case_id, NULL, v_attempt.disposition);
    END IF;
    IF v_found IS NULL THEN
        v_listed := v_outcome.redial AND dialer_period(v_case.call_back, v_case.call_back_period, 0) IS NOT NULL;
        IF v_listed THEN
            -- 0 by now if a promise was made and withdrawn during the call, one more if this call was settled before.
            v_done := least(v_attempt.redials_done, v_case.redials_done);
            v_minutes := dialer_period(v_case.call_back, v_case.call_back_period, v_done);
            IF v_minutes IS NULL THEN
                RETURN NULL;
            END IF;
        END IF;
        IF NOT v_listed OR v_outcome.outcome = 'MACHINE' THEN
            v_found := dialer_retry_row(v_attempt.project_id, v_attempt.case_id, v_attempt.outcome, NULL);
        END IF;
        IF v_found IS NULL AND v_outcome.outcome = 'MACHINE' AND v_listed THEN
            v_minutes := coalesce(v_params.machine_period, v_minutes);
        END IF;
    END IF;
    SELECT * INTO v_row FROM dialer_retries t WHERE t.id = v_found;
    v_minutes := coalesce(v_row.period_minutes, v_minutes);
    IF v_minutes IS NULL THEN
        RETURN NULL;
    END IF;
    IF v_params.most_attempts IS NOT NULL AND dialer_attempt_count(p_attempt) >= v_params.most_attempts THEN
        RETURN NULL;
    END IF;
    IF v_row.most IS NOT NULL THEN
        SELECT count(DISTINCT q.redials_done) FILTER (WHERE q.attempt_id >= coalesce(q.first_id, 0) AND CASE
                WHEN v_row.disposition IS NULL THEN q.outcome = v_row.outcome
                ELSE q.disposition = v_row.disposition
            END)
        INTO v_alike
        FROM (
            SELECT u.*, max(u.attempt_id) FILTER (WHERE u.redials_done = 0 AND u.begins_round) OVER () AS first_id
            FROM (
                SELECT a.attempt_id, a.outcome, a.disposition, a.effect, a.redials_done,
                    lag(a.effect) OVER calls IS DISTINCT FROM 'moved' OR lag(a.redials_done) OVER calls > 0 AS begins_round
                FROM dialer_stat_attempt a
                WHERE a.case_id = v_attempt.case_id
                  AND (a.project_id, a.phone_number, a.case_inserted_at, a.brought_back)
                    = (v_attempt.project_id, v_attempt.phone_number, v_attempt.case_inserted_at, v_attempt.brought_back)
                  AND a.attempt_id <= p_attempt
                WINDOW calls AS (ORDER BY a.attempt_id)
            ) u
        ) q
        JOIN dialer_outcomes o ON o.outcome = q.outcome
        WHERE o.uses_attempt AND q.effect IS DISTINCT FROM 'back';
        IF v_alike > v_row.most THEN
            RETURN NULL;
        END IF;
    END IF;
    v_at := greatest(v_attempt.ended_at + v_minutes * interval '1 minute', p_from);
    IF v_row.other_part_of_day THEN
        v_zone := coalesce(
            nullif(v_case.utc, ''),
            CASE WHEN v_params.zone_by = 'number' THEN split_part(v_case.zones, '&', 1) END,
            v_params.zone,
            split_part(v_case.zones, '&', 1),
            dialer_setting('server_zone'));
        v_hour := extract(hour FROM dialer_local(v_zone, v_attempt.begun_at));
        -- The two other parts, as one window.
        v_at := coalesce(CASE
            WHEN v_hour < 12 THEN dialer_window_next(v_zone, '12:00', '24:00', v_at)
            WHEN v_hour < 17 THEN dialer_window_next(v_zone, '17:00', '12:00', v_at)
            ELSE dialer_window_next(v_zone, '00:00', '17:00', v_at)
        END, v_at);
    END IF;
    RETURN v_at;
END
$$
