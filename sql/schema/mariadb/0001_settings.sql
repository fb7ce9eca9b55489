-- The settings, and the zone that local times mean where nothing else is said.
INSERT IGNORE INTO dialer_settings (name, value, description) VALUES
    ('server_zone', :server_zone,
     'zone of cases that name none and whose project names none; taken from the server at installation'),
    ('virtual_clock', 'false',
     'true: claims and results go by the instants that the worker gives; for simulations only'),
    ('max_call_seconds', '14400', 'a call that nobody can ask for is over after this long'),
    ('abandoned_hours', '72', 'a number that was abandoned is called only with an agent guaranteed for so long'),
    ('journal_hours', '48', 'decisions of the pacing are kept for so long');
