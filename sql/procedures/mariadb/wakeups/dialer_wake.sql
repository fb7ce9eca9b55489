-- dialer_wake(p_project)
-- Tell the workers to look at a project. The channel carries the schema's name, so that several dialers in
-- one database do not wake each other.
CREATE OR REPLACE PROCEDURE dialer_wake(p_project varchar(400))
INSERT INTO dialer_wakeups (session, project_id, only_hungry, written_at)
VALUES (connection_id(), p_project, false, sysdate(6))
ON DUPLICATE KEY UPDATE written_at = sysdate(6)
