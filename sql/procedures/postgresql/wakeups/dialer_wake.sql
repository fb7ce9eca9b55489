-- dialer_wake(p_project)
-- Tell the workers to look at a project. The channel carries the schema's name, so that several dialers in
-- one database do not wake each other.
CREATE OR REPLACE FUNCTION dialer_wake(p_project varchar)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM pg_notify('dialer:' || current_schema(), p_project);
END
$$
