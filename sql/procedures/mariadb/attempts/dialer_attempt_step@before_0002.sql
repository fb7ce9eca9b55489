-- dialer_attempt_step(p_attempt, p_report, p_now)
-- Write the steps of a report (see dialer_attempt_advance) into an attempt that has not ended: the first instant
-- reported for each step stays, and the state only moves forward, whatever the order of the reports.
CREATE OR REPLACE PROCEDURE dialer_attempt_step(p_attempt bigint, p_report longtext, p_now datetime(6))
UPDATE dialer_calls a
SET a.dialing_at = coalesce(a.dialing_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.dialing') AS decimal(20, 6)) SECOND),
    a.ringing_at = coalesce(a.ringing_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.ringing') AS decimal(20, 6)) SECOND),
    a.answered_at = coalesce(a.answered_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.answered') AS decimal(20, 6)) SECOND),
    a.amd_at = coalesce(a.amd_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.amd') AS decimal(20, 6)) SECOND),
    a.waiting_at = coalesce(a.waiting_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.waiting') AS decimal(20, 6)) SECOND),
    a.agent_at = coalesce(a.agent_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.agent') AS decimal(20, 6)) SECOND),
    a.played_at = coalesce(a.played_at,
        p_now - INTERVAL CAST(json_value(p_report, '$.steps.played') AS decimal(20, 6)) SECOND),
    a.amd_verdict = coalesce(a.amd_verdict, json_value(p_report, '$.amd')),
    a.agent = coalesce(a.agent, json_value(p_report, '$.agent')),
    -- MariaDB assigns from left to right: these columns have their new values already.
    a.state = CASE
        WHEN a.agent_at IS NOT NULL THEN 'connected'
        WHEN a.waiting_at IS NOT NULL THEN 'waiting'
        WHEN a.answered_at IS NOT NULL THEN 'answered'
        WHEN a.ringing_at IS NOT NULL THEN 'ringing'
        WHEN a.dialing_at IS NOT NULL THEN 'dialing'
        ELSE 'begun'
    END
WHERE a.id = p_attempt AND a.ended_at IS NULL
