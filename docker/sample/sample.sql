-- Two projects with cases of every kind, for docker/compose.yaml. May be run again: it adds cases to what is there.

-- Progressive: one call for each free agent of the queue `sales`.
INSERT INTO dialer_params (project_id, type, lines, dial_time, exten, context, queue, sort)
VALUES ('sales', 'progressive', 5, 10000, 's', 'progressive', 'sales', '1:2')
ON CONFLICT (project_id) DO NOTHING;

-- Autoinforming: five calls at once; who answers hears a message.
INSERT INTO dialer_params (project_id, type, lines, dial_time, exten, context)
VALUES ('reminder', 'autoinforming', 5, 10000, 's', 'autoinforming')
ON CONFLICT (project_id) DO NOTHING;

-- The first two digits say what SIPp's subscriber does: 20, 27, 30 answer, 22 is busy, 23 never answers, 24 declines,
-- 25 does not exist, 26 and 28 cannot be reached. Who did not answer is called again once, after a minute.
INSERT INTO dialer_clients (case_name, project_id, phone_number, priority, call_back, call_back_period)
SELECT project || ' ' || number, project, number::varchar, number % 3 + 1, true, '1'
FROM unnest(ARRAY['sales', 'reminder']) AS project,
    unnest(ARRAY[20, 20, 20, 27, 30, 22, 23, 24, 25, 26, 28]) WITH ORDINALITY AS behaviour (digits, place),
    generate_series(0, 3) AS n,
    LATERAL (SELECT digits * 1000 + place * 10 + n AS number) AS made
ORDER BY random();
