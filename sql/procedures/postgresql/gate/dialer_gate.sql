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
    c.id AS case_id,
    c.project_id,
    c.phone_number,
    c.number,
    own.reason::varchar AS own_reason,
    CASE own.reason
        WHEN 'do_not_call' THEN CASE WHEN x.dnc_ends THEN nullif(dialer_dnc_until(c.id, f.now), 'infinity') END
        WHEN 'number_limit' THEN nullif(dialer_limits_until(c.id, f.now), 'infinity')
        WHEN 'number_pause' THEN x.paused_until
        WHEN 'scheduled' THEN c.deferred_time
        WHEN 'redial' THEN c.deferred_time
        WHEN 'delayed' THEN c.not_before_at
        WHEN 'number_abandoned' THEN b.until_at
        WHEN 'window_closed' THEN h.opens_at
    END AS own_until_at,
    CASE own.reason
        WHEN 'do_not_call' THEN (
            SELECT 'dialer_dnc has ' || d.number || coalesce(': ' || nullif(d.reason, ''), '')
            FROM dialer_dnc d WHERE d.id = x.dnc_id)
        WHEN 'list_too_old' THEN r.list_words
        WHEN 'number_limit' THEN dialer_limit_words(x.limit_id)
        WHEN 'number_pause' THEN 'the number rests after a call (dialer_number_pauses)'
        WHEN 'delayed' THEN CASE
            WHEN b.number IS NULL THEN 'a call could not be made; it is tried again'
            ELSE 'attempt ' || b.attempt_id || ' abandoned this number: it is called when an agent is certain'
        END
        WHEN 'number_abandoned' THEN
            'attempt ' || b.attempt_id || ' abandoned this number: only projects with agents may call it'
        WHEN 'window_closed' THEN h.detail
        WHEN 'number_in_call' THEN 'case ' || n.case_id || ' of project ' || n.project_id
    END::varchar AS own_detail,
    -- An instant at which the list is too old is none.
    CASE
        WHEN own.reason IS NULL THEN f.now
        WHEN f.number_is_taken OR f.list_until <= f.now THEN NULL
        ELSE nullif(least(f.list_until, CASE
            WHEN x.dnc_from IS NOT NULL OR rule.reason IS NOT NULL THEN dialer_free_at(c.id, f.waits_until)
            WHEN f.waits_until = f.now OR h.opens_at IS NULL THEN h.opens_at
            ELSE dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                f.waits_until)
        END), f.list_until)
    END AS next_at,
    CASE
        WHEN own.reason IS NULL THEN f.now
        WHEN f.list_until <= f.now THEN NULL
        ELSE nullif(least(f.list_until, CASE
            WHEN x.dnc_from IS NOT NULL OR rule.reason IS NOT NULL THEN dialer_free_at(c.id, f.waits_until)
            WHEN f.waits_until = f.now OR h.opens_at IS NULL THEN h.opens_at
            ELSE dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
                f.waits_until)
        END), f.list_until)
    END AS ready_at,
    l.attempt_id,
    l.worker_id,
    l.claimed_at,
    b.until_at AS abandoned_until_at,
    b.attempt_id AS abandoned_by,
    c.checked OR l.case_id IS NOT NULL OR n.number IS NOT NULL OR b.number IS NOT NULL
        OR c.held_for IS NOT NULL AND coalesce(c.held_until <= f.now, false) AS stands_apart,
    other.reason::varchar AS other_reason,
    h.opens_at
FROM dialer_clients c
CROSS JOIN (SELECT dialer_now() AS now OFFSET 0) t
LEFT JOIN dialer_rules r ON r.project_id = c.project_id
-- Not the claim on another case that had this id before.
LEFT JOIN dialer_claims l ON l.case_id = c.id AND l.case_inserted_at = c.inserted_at
LEFT JOIN dialer_live n ON n.number = c.number
LEFT JOIN dialer_abandoned b ON b.number = c.number AND b.until_at > t.now
CROSS JOIN LATERAL (
    SELECT
        t.now,
        -- The latest end of those rules that end at a known instant, whatever the hour.
        greatest(
            t.now,
            CASE WHEN NOT c.deferred_done THEN c.deferred_time END,
            c.not_before_at,
            CASE WHEN r.type = 'autoinforming' THEN b.until_at END
        ) AS waits_until,
        -- From when on the list is too old for this case.
        CASE
            WHEN r.scrub_blocks AND r.list_until IS NOT NULL AND NOT coalesce(c.deferred_kind = 'scheduled' AND NOT c.deferred_done, false)
                THEN r.list_until
            ELSE 'infinity'
        END AS list_until,
        -- Does not count while dialer_attempt_begin has taken the number for this very case.
        n.number IS NOT NULL AND NOT (n.case_id = c.id AND n.attempt_id IS NULL) AS number_is_taken
) f
-- Rules on the number. OFFSET 0, here and below: found once per case, not once for each column that depends on it.
CROSS JOIN LATERAL (
    SELECT
        e.dnc_from,
        e.dnc_id,
        e.dnc_ends,
        (
            SELECT max(p.until_at) FROM dialer_number_pauses p
            WHERE p.number = c.number
              AND p.until_at > t.now
              AND (p.project_id IS NULL OR p.project_id = c.project_id)
              AND (p.client IS NULL OR p.client = r.client)
              AND (p.purpose IS NULL OR p.purpose = r.purpose)
              AND (p.region IS NULL
                OR p.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
              AND (p.callbacks OR NOT e.is_promised)
        ) AS paused_until,
        -- Nobody asks for it where the number is not to be called at all.
        CASE
            WHEN NOT coalesce(e.dnc_from <= t.now, false) AND EXISTS (SELECT FROM dialer_limits)
                THEN dialer_limit_of(c.id, c.number, c.project_id, r.client, r.purpose,
                    ARRAY[c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)], e.is_promised, t.now)
        END AS limit_id
    FROM (
        SELECT
            d.from_at AS dnc_from,
            d.id AS dnc_id,
            d.ends AS dnc_ends,
            coalesce(c.deferred_kind = 'scheduled' AND NOT c.deferred_done, false) AS is_promised
        FROM (SELECT) one
        -- Of the entries that are not over, the one that began first.
        LEFT JOIN LATERAL (
            SELECT coalesce(n.from_at, '-infinity') AS from_at, n.id, n.until_at IS NOT NULL AS ends
            FROM dialer_dnc_lengths z
            JOIN dialer_dnc n
                ON n.number = CASE WHEN z.length = 0 THEN c.number ELSE left(c.number, z.length) || '*' END
            WHERE (n.until_at IS NULL OR n.until_at > t.now)
              AND (n.project_id IS NULL OR n.project_id = c.project_id)
              AND (n.client IS NULL OR n.client = r.client)
              AND (n.purpose IS NULL OR n.purpose = r.purpose)
              AND (n.region IS NULL
                OR n.region IN (c.region, left(c.region, 2), c.number_region, left(c.number_region, 2)))
            ORDER BY coalesce(n.from_at, '-infinity'), n.id
            LIMIT 1
        ) d ON true
    ) e
    OFFSET 0
) x
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN x.dnc_from <= t.now THEN 'do_not_call'
        WHEN x.limit_id IS NOT NULL THEN 'number_limit'
        WHEN x.paused_until IS NOT NULL THEN 'number_pause'
    END AS reason
    OFFSET 0
) rule
-- Hours: as found out before, or afresh.
LEFT JOIN dialer_windows w ON w.project_id = c.project_id AND w.window_key = c.window_key
    AND w.evaluated_at <= t.now AND w.changes_at > t.now AND w.rules = (SELECT v.version FROM dialer_rules_version v)
CROSS JOIN LATERAL (
    SELECT w.is_open, w.detail, CASE WHEN w.is_open THEN t.now ELSE w.opens_at END AS opens_at
    WHERE w.window_key IS NOT NULL
    UNION ALL
    SELECT o.is_open, o.detail,
        CASE WHEN o.is_open THEN t.now ELSE dialer_open_at(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
            t.now) END
    FROM dialer_opening(c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region, t.now) o
    WHERE w.window_key IS NULL
    OFFSET 0
) h
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.attempt_id IS NOT NULL THEN NULL
        WHEN f.list_until <= t.now THEN 'list_too_old'
        WHEN c.deferred_time > t.now AND NOT c.deferred_done THEN c.deferred_kind
        WHEN c.not_before_at > t.now THEN 'delayed'
        WHEN b.number IS NOT NULL AND r.type = 'autoinforming' THEN 'number_abandoned'
        WHEN NOT h.is_open THEN 'window_closed'
        WHEN f.number_is_taken THEN 'number_in_call'
    END AS reason
    OFFSET 0
) other
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.attempt_id IS NOT NULL THEN NULL
        WHEN rule.reason = 'do_not_call' THEN rule.reason
        WHEN other.reason IN ('window_closed', 'number_in_call') THEN coalesce(rule.reason, other.reason)
        ELSE coalesce(other.reason, rule.reason)
    END AS reason
    OFFSET 0
) own
WHERE NOT c.used
