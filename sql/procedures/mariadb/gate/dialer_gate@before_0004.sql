-- dialer_gate: one row per case that is not used: which reason of its own speaks against calling it at dialer_now().
-- The one place that decides whether a case may be called: dialer_pick, dialer_next, dialer_attempt_begin,
-- dialer_project_until and dialer_why ask here, each about the cases it has in hand; one case is a lookup.
-- own_reason: the first that holds, NULL if none does:
--   do_not_call         dialer_dnc has the number
--   list_too_old        the project's list was compared with the do-not-call registry too long ago (scrub_blocks); a
--                       promised callback is made all the same
--   scheduled, redial   the promised instant, or the redial's, is still ahead
--   delayed             a delay set by the dialer is not over
--   number_abandoned    the number was abandoned lately, and the project has no agents to guarantee one
--                       (if it has, dialer_attempt_begin asks for the guarantee)
--   number_limit        as many calls as a row of dialer_limits allows
--   number_pause        the number rests after a call (dialer_pauses)
--   window_closed       hours do not permit it, the case's own or those of dialer_hours
--   number_in_call      the number is in another call
-- A case in a call of its own has none. own_until_at: when that reason ends by itself, own_detail: a sentence about it.
-- next_at: the first instant at which no reason holds if nothing else happens; NULL if nobody knows. ready_at: the
-- same, ignoring a call of the number, since calls end. Then the facts behind the reasons: attempt_id, worker_id and
-- claimed_at of the case's claim; abandoned_until_at, abandoned_by: the attempt in which the number was abandoned
-- lately. stands_apart: one of these facts, or a call of the number, may give the case another answer than others of its
-- call window get, so dialer_why_count counts it by itself (dialer_apart finds all of these). other_reason: the first
-- reason that does not come from a rule on its number. opens_at: when its window is open next.
CREATE OR REPLACE VIEW dialer_gate AS
SELECT
    w.case_id,
    w.project_id,
    w.phone_number,
    w.number,
    w.own_reason,
    CASE w.own_reason
        WHEN 'do_not_call' THEN nullif(dialer_dnc_until(w.case_id, w.now), '9999-12-31 00:00:00')
        WHEN 'number_limit' THEN nullif(dialer_limits_until(w.case_id, w.now), '9999-12-31 00:00:00')
        WHEN 'number_pause' THEN w.paused_until
        WHEN 'scheduled' THEN w.deferred_time
        WHEN 'redial' THEN w.deferred_time
        WHEN 'delayed' THEN w.not_before_at
        WHEN 'number_abandoned' THEN w.abandoned_until_at
        WHEN 'window_closed' THEN w.opens_at
    END AS own_until_at,
    CASE w.own_reason
        WHEN 'do_not_call' THEN (
            SELECT concat('dialer_dnc has ', d.number, coalesce(concat(': ', nullif(d.reason, '')), ''))
            FROM dialer_dnc d WHERE d.id = w.dnc_id)
        WHEN 'list_too_old' THEN w.list_words
        WHEN 'number_limit' THEN dialer_limit_words(w.limit_id)
        WHEN 'number_pause' THEN 'the number rests after a call (dialer_number_pauses)'
        WHEN 'delayed' THEN CASE
            WHEN w.abandoned_by IS NULL THEN 'a call could not be made; it is tried again'
            ELSE concat('attempt ', w.abandoned_by, ' abandoned this number: it is called when an agent is certain')
        END
        WHEN 'number_abandoned' THEN
            concat('attempt ', w.abandoned_by, ' abandoned this number: only projects with agents may call it')
        WHEN 'window_closed' THEN w.closed_detail
        WHEN 'number_in_call' THEN concat('case ', w.other_case_id, ' of project ', w.other_project_id)
    END AS own_detail,
    -- An instant at which the list is too old is none.
    CASE
        WHEN w.own_reason IS NULL THEN w.now
        WHEN w.number_is_taken OR w.list_until <= w.now THEN NULL
        ELSE nullif(least(w.list_until, CASE
            WHEN w.dnc_from IS NOT NULL OR w.limit_id IS NOT NULL OR w.paused_until IS NOT NULL
                THEN dialer_free_at(w.case_id, w.waits_until)
            WHEN w.waits_until = w.now OR w.opens_at IS NULL THEN w.opens_at
            ELSE dialer_open_at(w.project_id, w.utc, w.allowed_start, w.allowed_stop, w.zones, w.region, w.number_region,
                w.waits_until)
        END), w.list_until)
    END AS next_at,
    CASE
        WHEN w.own_reason IS NULL THEN w.now
        WHEN w.list_until <= w.now THEN NULL
        ELSE nullif(least(w.list_until, CASE
            WHEN w.dnc_from IS NOT NULL OR w.limit_id IS NOT NULL OR w.paused_until IS NOT NULL
                THEN dialer_free_at(w.case_id, w.waits_until)
            WHEN w.waits_until = w.now OR w.opens_at IS NULL THEN w.opens_at
            ELSE dialer_open_at(w.project_id, w.utc, w.allowed_start, w.allowed_stop, w.zones, w.region, w.number_region,
                w.waits_until)
        END), w.list_until)
    END AS ready_at,
    w.attempt_id,
    w.worker_id,
    w.claimed_at,
    w.abandoned_until_at,
    w.abandoned_by,
    w.stands_apart,
    w.other_reason,
    w.opens_at
FROM (
    SELECT
        f.*,
        CASE
            WHEN f.attempt_id IS NOT NULL THEN NULL
            WHEN f.dnc_from <= f.now THEN 'do_not_call'
            WHEN f.list_until <= f.now THEN 'list_too_old'
            WHEN f.deferred_time > f.now AND NOT f.deferred_done THEN f.deferred_kind
            WHEN f.not_before_at > f.now THEN 'delayed'
            WHEN f.abandoned_by IS NOT NULL AND f.type = 'autoinforming' THEN 'number_abandoned'
            WHEN f.limit_id IS NOT NULL THEN 'number_limit'
            WHEN f.paused_until IS NOT NULL THEN 'number_pause'
            WHEN NOT f.is_open THEN 'window_closed'
            WHEN f.number_is_taken THEN 'number_in_call'
        END AS own_reason,
        CASE
            WHEN f.attempt_id IS NOT NULL THEN NULL
            WHEN f.list_until <= f.now THEN 'list_too_old'
            WHEN f.deferred_time > f.now AND NOT f.deferred_done THEN f.deferred_kind
            WHEN f.not_before_at > f.now THEN 'delayed'
            WHEN f.abandoned_by IS NOT NULL AND f.type = 'autoinforming' THEN 'number_abandoned'
            WHEN NOT f.is_open THEN 'window_closed'
            WHEN f.number_is_taken THEN 'number_in_call'
        END AS other_reason
    FROM (
        SELECT
            c.id AS case_id, c.project_id, c.phone_number, c.number, c.deferred_time, c.deferred_done, c.deferred_kind,
            c.not_before_at, c.allowed_start, c.allowed_stop, r.type, dialer_now() AS now,
            c.utc, c.zones, c.region, c.number_region,
            -- Hours: as found out before, or afresh.
            IF(h.window_key IS NOT NULL, h.is_open, json_value(dialer_opening(
                c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                dialer_now()), '$.is_open')) AS is_open,
            CASE
                WHEN h.is_open THEN dialer_now()
                WHEN h.window_key IS NOT NULL THEN CAST(h.opens_at AS datetime(6))
                ELSE dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                    dialer_now())
            END AS opens_at,
            IF(h.window_key IS NOT NULL, h.detail, json_value(dialer_opening(
                c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                dialer_now()), '$.detail')) AS closed_detail,
            -- The latest end of those rules that end at a known instant, whatever the hour.
            greatest(
                dialer_now(),
                coalesce(IF(c.deferred_done, NULL, c.deferred_time), dialer_now()),
                coalesce(c.not_before_at, dialer_now()),
                coalesce(IF(r.type = 'autoinforming', b.until_at, NULL), dialer_now())
            ) AS waits_until,
            -- From when on the list is too old for this case.
            CASE
                WHEN r.scrub_blocks AND r.list_until IS NOT NULL
                    AND (NOT c.deferred_kind <=> 'scheduled' OR c.deferred_done) THEN r.list_until
                ELSE TIMESTAMP'9999-12-31 00:00:00'
            END AS list_until,
            r.list_words,
            -- Does not count while dialer_attempt_begin has taken the number for this very case.
            n.number IS NOT NULL AND NOT (n.case_id = c.id AND n.attempt_id IS NULL) AS number_is_taken,
            n.case_id AS other_case_id, n.project_id AS other_project_id,
            l.attempt_id, l.worker_id, l.claimed_at,
            b.until_at AS abandoned_until_at, b.attempt_id AS abandoned_by,
            c.checked OR l.case_id IS NOT NULL OR n.number IS NOT NULL OR b.number IS NOT NULL
                OR (c.held_for IS NOT NULL AND coalesce(c.held_until <= dialer_now(), false)) AS stands_apart,
            -- Of the entries that are not over, when the one begins, or began, that begins first.
            (
                SELECT min(coalesce(d.from_at, '1970-01-02 00:00:00'))
                FROM dialer_dnc_lengths z
                STRAIGHT_JOIN dialer_dnc d
                    ON d.number = IF(z.length = 0, c.number, concat(left(c.number, z.length), '*'))
                WHERE (d.until_at IS NULL OR d.until_at > dialer_now())
                  AND (d.project_id IS NULL OR d.project_id = c.project_id)
                  AND (d.client IS NULL OR d.client = r.client)
                  AND (d.purpose IS NULL OR d.purpose = r.purpose)
                  AND (d.region IS NULL
                    OR d.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
            ) AS dnc_from,
            (
                SELECT d.id
                FROM dialer_dnc_lengths z
                STRAIGHT_JOIN dialer_dnc d
                    ON d.number = IF(z.length = 0, c.number, concat(left(c.number, z.length), '*'))
                WHERE (d.until_at IS NULL OR d.until_at > dialer_now())
                  AND (d.project_id IS NULL OR d.project_id = c.project_id)
                  AND (d.client IS NULL OR d.client = r.client)
                  AND (d.purpose IS NULL OR d.purpose = r.purpose)
                  AND (d.region IS NULL
                    OR d.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
                ORDER BY d.from_at, d.id
                LIMIT 1
            ) AS dnc_id,
            (
                SELECT max(p.until_at) FROM dialer_number_pauses p
                WHERE p.number = c.number
                  AND p.until_at > dialer_now()
                  AND (p.project_id IS NULL OR p.project_id = c.project_id)
                  AND (p.client IS NULL OR p.client = r.client)
                  AND (p.purpose IS NULL OR p.purpose = r.purpose)
                  AND (p.region IS NULL
                    OR p.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
                  AND (p.callbacks OR NOT c.deferred_kind <=> 'scheduled' OR c.deferred_done)
            ) AS paused_until,
            -- Most numbers were never called since the longest period began: to look costs less than to count, and a plan to
            -- count more than that.
            IF(EXISTS (
                    SELECT 1 FROM dialer_attempts a WHERE a.number = c.number AND a.begun_at > (
                        SELECT IF(count(*) = count(m.period_minutes),
                            dialer_now() - INTERVAL max(m.period_minutes) MINUTE, TIMESTAMP'1970-01-02 00:00:00')
                        FROM dialer_limits m))
                OR EXISTS (SELECT 1 FROM dialer_calls a WHERE a.number = c.number)
                OR EXISTS (SELECT 1 FROM dialer_limits m WHERE m.keyed_by <> 'number'),
                dialer_limit_of(c.id, c.number, c.project_id, r.client, r.purpose,
                    concat_ws(',', c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)),
                    c.deferred_kind <=> 'scheduled' AND NOT c.deferred_done, dialer_now()),
                NULL) AS limit_id
        FROM dialer_clients c
        LEFT JOIN dialer_rules r ON r.project_id = c.project_id
        -- Not the claim on another case that had this id before.
        LEFT JOIN dialer_claims l ON l.case_id = c.id AND l.case_inserted_at = c.inserted_at
        LEFT JOIN dialer_live n ON n.number = c.number
        LEFT JOIN dialer_abandoned b ON b.number = c.number AND b.until_at > dialer_now()
        LEFT JOIN dialer_windows h ON h.project_id = c.project_id AND h.window_key = c.window_key
            AND h.evaluated_at <= dialer_now() AND h.changes_at > dialer_now() AND h.rules = (SELECT v.version FROM dialer_rules_version v)
        WHERE NOT c.used
    ) f
) w
