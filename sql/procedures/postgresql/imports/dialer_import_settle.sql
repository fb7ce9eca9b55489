-- dialer_import_settle(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry) -> line, skipped, reason
-- The lines in dialer_import_lines that are not to be inserted, in order, and why; dialer_import_put inserts the
-- others. Those that dialer_import_check has found bad, and those whose numbers, in their one form, are there already:
-- on an earlier line of the file that is inserted, in the project, in another project (dialer_import_doubles). A line
-- is there if its first number is one of a case's numbers, or a further one a case's first: people who only share a
-- further number, of their house or firm, are not taken for one. Each of the three is told to 'keep' such a line, to
-- 'skip' or to 'refuse' it. p_import: its cases are lines of the same file. p_dry: the numbers are noted in
-- dialer_import_seen instead.
-- Locks, unless p_dry: the imports under way into the project, or all if a number may not be elsewhere.
CREATE OR REPLACE FUNCTION dialer_import_settle(
    p_import int8,
    p_project varchar,
    p_in_file varchar,
    p_in_project varchar,
    p_elsewhere varchar,
    p_dry bool
)
RETURNS TABLE (line int8, skipped bool, reason varchar)
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    -- Two imports take turns, or each of them would not see what the other one is about to insert.
    PERFORM FROM dialer_imports i
    WHERE NOT p_dry AND i.ended_at IS NULL AND i.undone_at IS NULL AND (i.project_id = p_project OR p_elsewhere <> 'keep')
    ORDER BY i.id FOR UPDATE;
    IF (p_in_file, p_in_project, p_elsewhere) <> ('keep', 'keep', 'keep') THEN
        PERFORM dialer_import_doubles(p_import, p_project, p_in_file, p_in_project, p_elsewhere, p_dry);
    END IF;
    RETURN QUERY
    SELECT l.line, l.skipped, l.reason FROM dialer_import_lines l WHERE l.reason IS NOT NULL ORDER BY l.line;
END
$$
