-- dialer_trouble_write(p_kind, p_subject, p_asterisk, p_step, p_detail, p_now)
-- Note what keeps one project, trunk, Asterisk, worker or case from being served (dialer_troubles); p_detail NULL: it
-- is over. For other routines.
CREATE OR REPLACE FUNCTION dialer_trouble_write(
    p_kind varchar,
    p_subject varchar,
    p_asterisk varchar,
    p_step varchar,
    p_detail varchar,
    p_now timestamptz
)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_detail IS NULL THEN
        DELETE FROM dialer_troubles
        WHERE kind = p_kind AND subject = p_subject AND asterisk = p_asterisk AND step = p_step;
        RETURN;
    END IF;
    INSERT INTO dialer_troubles (kind, subject, asterisk, step, detail, since_at, told_at)
    VALUES (p_kind, p_subject, p_asterisk, p_step, left(p_detail, 1000), p_now, p_now)
    ON CONFLICT (kind, subject, asterisk, step) DO UPDATE SET detail = excluded.detail, told_at = excluded.told_at;
END
$$
