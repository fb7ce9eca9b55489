-- dialer_gate_reasons: one row per case that is not used: own_reason, as dialer_gate says, and the facts that it goes by.
-- A part of dialer_gate: whoever asks for the reason alone asks here, since MariaDB also plans the sentences and instants
-- that nobody asked for.
-- is_known: dialer_windows says whether the hours permit it; known_open, known_opens_at, known_detail: what it says.
CREATE OR REPLACE VIEW dialer_gate_reasons AS
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
    END AS own_reason
FROM (
    SELECT
        c.id AS case_id, c.project_id, c.phone_number, c.number, c.deferred_time, c.deferred_done, c.deferred_kind,
        c.not_before_at, c.allowed_start, c.allowed_stop, c.utc, c.zones, c.region, c.number_region,
        r.type, r.client, r.purpose, r.list_words, dialer_now() AS now,
        h.window_key IS NOT NULL AS is_known, h.is_open AS known_open, h.opens_at AS known_opens_at,
        h.detail AS known_detail,
        -- Hours: as found out before, or afresh.
        IF(h.window_key IS NOT NULL, h.is_open, json_value(dialer_opening(
            c.project_id, c.utc, c.allowed_start, c.allowed_stop, c.zones, c.region, c.number_region,
            dialer_now()), '$.is_open')) AS is_open,
        -- From when on the list is too old for this case.
        CASE
            WHEN r.scrub_blocks AND r.list_until IS NOT NULL
                AND (NOT c.deferred_kind <=> 'scheduled' OR c.deferred_done) THEN r.list_until
            ELSE TIMESTAMP'9999-12-31 00:00:00'
        END AS list_until,
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
            SELECT max(p.until_at) FROM dialer_number_pauses p FORCE INDEX (dialer_number_pauses_number)
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
