-- Trigger, AFTER UPDATE OR DELETE ON dialer_dnc: what was loosened or taken away holds from the next turn. What is added
-- needs no wake-up: claims and begins ask.
CREATE OR REPLACE TRIGGER dialer_dnc_after_write AFTER UPDATE OR DELETE ON dialer_dnc
FOR EACH ROW CALL dialer_wake('')
