-- Entries of one project or client are looked at apart: whether there is one (dialer_warnings).
CREATE INDEX IF NOT EXISTS dialer_dnc_project ON dialer_dnc (project_id);
CREATE INDEX IF NOT EXISTS dialer_dnc_client ON dialer_dnc (client);

-- Down: how that is taken back.
DROP INDEX IF EXISTS dialer_dnc_project ON dialer_dnc;
DROP INDEX IF EXISTS dialer_dnc_client ON dialer_dnc;
