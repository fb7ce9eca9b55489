-- Entries of one project or client are looked at apart: whether there is one (dialer_warnings).
CREATE INDEX dialer_dnc_project ON dialer_dnc (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX dialer_dnc_client ON dialer_dnc (client) WHERE client IS NOT NULL;

-- Down: how that is taken back.
DROP INDEX dialer_dnc_project;
DROP INDEX dialer_dnc_client;
