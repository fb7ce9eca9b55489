-- dialer_trunk_ensure(p_asterisk, p_dial_template)
-- Make the trunk 'default' of an Asterisk, unless there is one.
CREATE OR REPLACE FUNCTION dialer_trunk_ensure(p_asterisk varchar, p_dial_template varchar)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path FROM CURRENT
AS $$
    INSERT INTO dialer_trunks (trunk, asterisk, dial_template)
    VALUES ('default', p_asterisk, p_dial_template)
    ON CONFLICT DO NOTHING
$$
