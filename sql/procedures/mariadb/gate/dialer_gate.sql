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
        WHEN 'do_not_call' THEN dialer_hold_until('do_not_call', w.case_id, w.now)
        WHEN 'number_limit' THEN dialer_hold_until('number_limit', w.case_id, w.now)
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
            FROM dialer_dnc_lengths z
            STRAIGHT_JOIN dialer_dnc d ON d.number = IF(z.length = 0, w.number, concat(left(w.number, z.length), '*'))
            WHERE (d.until_at IS NULL OR d.until_at > dialer_now())
              AND (d.project_id IS NULL OR d.project_id = w.project_id)
              AND (d.client IS NULL OR d.client = w.client)
              AND (d.purpose IS NULL OR d.purpose = w.purpose)
              AND (d.region IS NULL
                OR d.region IN (w.region, left(w.region, 2), w.number_region, left(w.number_region, 2)))
            ORDER BY d.from_at, d.id
            LIMIT 1)
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
            WHEN f.list_until <= f.now THEN 'list_too_old'
            WHEN f.deferred_time > f.now AND NOT f.deferred_done THEN f.deferred_kind
            WHEN f.not_before_at > f.now THEN 'delayed'
            WHEN f.abandoned_by IS NOT NULL AND f.type = 'autoinforming' THEN 'number_abandoned'
            WHEN NOT f.is_open THEN 'window_closed'
            WHEN f.number_is_taken THEN 'number_in_call'
        END AS other_reason,
        CASE
            WHEN f.known_open THEN f.now
            WHEN f.is_known THEN CAST(f.known_opens_at AS datetime(6))
            ELSE dialer_open_at(f.project_id, f.utc, f.allowed_start, f.allowed_stop, f.zones, f.region, f.number_region, f.now)
        END AS opens_at,
        IF(f.is_known, f.known_detail, json_value(dialer_opening(
            f.project_id, f.utc, f.allowed_start, f.allowed_stop, f.zones, f.region, f.number_region, f.now), '$.detail'))
            AS closed_detail,
        -- The latest end of those rules that end at a known instant, whatever the hour.
        greatest(
            f.now,
            coalesce(IF(f.deferred_done, NULL, f.deferred_time), f.now),
            coalesce(f.not_before_at, f.now),
            coalesce(IF(f.type = 'autoinforming', f.abandoned_until_at, NULL), f.now)
        ) AS waits_until
    FROM dialer_gate_reasons f
) w
