-- dialer_trouble_write(p_kind, p_subject, p_asterisk, p_step, p_detail, p_now)
-- Note what keeps one project, trunk, Asterisk, worker or case from being served (dialer_troubles); p_detail NULL: it
-- is over. For other routines.
CREATE OR REPLACE PROCEDURE dialer_trouble_write(
    p_kind varchar(20),
    p_subject varchar(400),
    p_asterisk varchar(400),
    p_step varchar(40),
    p_detail text,
    p_now datetime(6)
)
BEGIN
    IF p_detail IS NULL THEN
        DELETE FROM dialer_troubles
        WHERE kind = p_kind AND subject = p_subject AND asterisk = p_asterisk AND step = p_step;
    ELSE
        INSERT INTO dialer_troubles (kind, subject, asterisk, step, detail, since_at, told_at)
        VALUES (p_kind, p_subject, p_asterisk, p_step, left(p_detail, 1000), p_now, p_now)
        ON DUPLICATE KEY UPDATE detail = VALUES(detail), told_at = VALUES(told_at);
    END IF;
END
