-- dialer_stat_agent: queue members, what they do now and what they did in the last 24 hours. Queues have Asterisk's
-- name; in dialer_attempts they are written as in dialer_params, whose case may differ.
CREATE OR REPLACE VIEW dialer_stat_agent AS
SELECT
    g.asterisk, g.queue, g.interface AS agent, g.name, g.state, g.since_at,
    coalesce(d.calls, 0) AS calls,
    coalesce(d.talk_seconds, 0) AS talk_seconds
FROM dialer_agents g
LEFT JOIN (
    SELECT asterisk, lower(queue) AS queue, agent, count(*) AS calls, sum(talk_seconds) AS talk_seconds
    FROM dialer_attempts
    WHERE ended_at > dialer_now() - INTERVAL 24 HOUR AND agent IS NOT NULL
    GROUP BY asterisk, lower(queue), agent
) d ON d.asterisk = g.asterisk AND d.queue = lower(g.queue) AND d.agent = g.interface
