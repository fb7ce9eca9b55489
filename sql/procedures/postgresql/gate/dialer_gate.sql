-- dialer_gate: one row per case that is not used: which reason of its own speaks against calling it at dialer_now().
-- The one place that decides whether a case may be called: dialer_pick, dialer_next, dialer_attempt_begin,
-- dialer_project_until and dialer_why ask here, each about the cases it has in hand; one case is a lookup.
-- own_reason: the first that holds, NULL if none does:
--   scheduled, redial   the promised instant, or the redial's, is still ahead
--   delayed             a delay set by the dialer is not over
--   number_abandoned    the number was abandoned lately, and the project has no agents to guarantee one
--                       (if it has, dialer_attempt_begin asks for the guarantee)
--   window_closed       it is outside the case's hours by the subscriber's clock
--   number_in_call      the number is in another call
-- A case in a call of its own has none. own_until_at: when that reason ends by itself, own_detail: a sentence about it.
-- next_at: the first instant at which no reason holds if nothing else happens; NULL if nobody knows. ready_at: the
-- same, ignoring a call of the number, since calls end. Then the facts behind the reasons: attempt_id, worker_id and
-- claimed_at of the case's claim; abandoned_until_at, abandoned_by: the attempt in which the number was abandoned
-- lately. stands_apart: one of these facts, or a call of the number, may give the case another answer than others of its
-- call window get, so dialer_why_count counts it by itself (dialer_apart finds all of these).
CREATE OR REPLACE VIEW dialer_gate AS
SELECT
    c.id AS case_id,
    c.project_id,
    c.phone_number,
    c.number,
    own.reason::varchar AS own_reason,
    CASE own.reason
        WHEN 'scheduled' THEN c.deferred_time
        WHEN 'redial' THEN c.deferred_time
        WHEN 'delayed' THEN c.not_before_at
        WHEN 'number_abandoned' THEN b.until_at
        WHEN 'window_closed' THEN dialer_window_next(f.zone, c.allowed_start, c.allowed_stop, f.now)
    END AS own_until_at,
    CASE own.reason
        WHEN 'delayed' THEN CASE
            WHEN b.number IS NULL THEN 'a call could not be made; it is tried again'
            ELSE 'attempt ' || b.attempt_id || ' abandoned this number: it is called when an agent is certain'
        END
        WHEN 'number_abandoned' THEN
            'attempt ' || b.attempt_id || ' abandoned this number: only projects with agents may call it'
        WHEN 'window_closed' THEN c.allowed_start || ' to ' || c.allowed_stop || ' in ' || f.zone
        WHEN 'number_in_call' THEN 'case ' || n.case_id || ' of project ' || n.project_id
    END::varchar AS own_detail,
    CASE
        WHEN own.reason IS NULL THEN f.now
        WHEN NOT f.number_is_taken THEN dialer_window_next(f.zone, c.allowed_start, c.allowed_stop, f.waits_until)
    END AS next_at,
    CASE
        WHEN own.reason IS NULL THEN f.now
        ELSE dialer_window_next(f.zone, c.allowed_start, c.allowed_stop, f.waits_until)
    END AS ready_at,
    l.attempt_id,
    l.worker_id,
    l.claimed_at,
    b.until_at AS abandoned_until_at,
    b.attempt_id AS abandoned_by,
    c.checked OR l.case_id IS NOT NULL OR n.number IS NOT NULL OR b.number IS NOT NULL AS stands_apart
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
        coalesce(nullif(c.utc, ''), r.zone, (SELECT dialer_setting('server_zone'))) AS zone,
        -- The latest end of those rules that end at a known instant, whatever the hour.
        greatest(
            t.now,
            CASE WHEN NOT c.deferred_done THEN c.deferred_time END,
            c.not_before_at,
            CASE WHEN r.type = 'autoinforming' THEN b.until_at END
        ) AS waits_until,
        -- Does not count while dialer_attempt_begin has taken the number for this very case.
        n.number IS NOT NULL AND NOT (n.case_id = c.id AND n.attempt_id IS NULL) AS number_is_taken
) f
-- OFFSET 0: found once per case, not once for each column that depends on it.
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.attempt_id IS NOT NULL THEN NULL
        WHEN c.deferred_time > t.now AND NOT c.deferred_done THEN c.deferred_kind
        WHEN c.not_before_at > t.now THEN 'delayed'
        WHEN b.number IS NOT NULL AND r.type = 'autoinforming' THEN 'number_abandoned'
        WHEN NOT dialer_window_open(f.zone, c.allowed_start, c.allowed_stop, t.now) THEN 'window_closed'
        WHEN f.number_is_taken THEN 'number_in_call'
    END AS reason
    OFFSET 0
) own
WHERE NOT c.used
