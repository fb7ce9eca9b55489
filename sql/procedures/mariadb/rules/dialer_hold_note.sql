-- dialer_hold_note(p_now, p_most)
-- Note in dialer_holding those of the cases in dialer_asked that a rule on their number keeps back, up to p_most of
-- them, and until when; dialer_hold writes it into the cases. For dialer_pick and dialer_screen.
CREATE OR REPLACE PROCEDURE dialer_hold_note(p_now datetime(6), p_most int)
BEGIN
    INSERT INTO dialer_holding (case_id, held_for, held_until)
    SELECT a.case_id, a.own_reason, IF(
        -- Most entries are of all projects and for ever: to look for one here takes a tenth of a call for each case.
        a.own_reason = 'do_not_call' AND EXISTS (
            SELECT 1 FROM dialer_dnc_lengths z
            STRAIGHT_JOIN dialer_dnc d ON d.number = IF(z.length = 0, c.number, concat(left(c.number, z.length), '*'))
            WHERE d.until_at IS NULL AND d.from_at IS NULL
              AND d.project_id IS NULL AND d.client IS NULL AND d.purpose IS NULL AND d.region IS NULL),
        NULL,
        dialer_hold_until(a.own_reason, a.case_id, p_now))
    FROM dialer_asked a
    STRAIGHT_JOIN dialer_clients c ON c.id = a.case_id
    WHERE a.own_reason IN ('do_not_call', 'number_limit', 'number_pause')
    LIMIT p_most;
END
