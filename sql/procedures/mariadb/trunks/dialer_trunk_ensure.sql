-- dialer_trunk_ensure(p_asterisk, p_dial_template)
-- Make the trunk 'default' of an Asterisk, unless there is one.
CREATE OR REPLACE PROCEDURE dialer_trunk_ensure(p_asterisk varchar(400), p_dial_template varchar(400))
BEGIN
    DECLARE v_known bigint;
    SELECT count(*) INTO v_known FROM dialer_trunks t WHERE t.trunk = 'default' AND t.asterisk = p_asterisk;
    IF v_known = 0 THEN
        INSERT IGNORE INTO dialer_trunks (trunk, asterisk, dial_template) VALUES ('default', p_asterisk, p_dial_template);
    END IF;
END
