-- dialer_window_open(p_zone, p_start, p_stop, p_at) -> bool
-- Is the call window open at p_at, by the wall clock in p_zone (dialer_window_holds)? In an unknown zone only a window
-- of the whole day is.
CREATE OR REPLACE FUNCTION dialer_window_open(
    p_zone varchar(400),
    p_start varchar(400),
    p_stop varchar(400),
    p_at datetime(6)
)
RETURNS tinyint(1)
DETERMINISTIC READS SQL DATA
BEGIN
    -- Most windows are the whole day; then no clock is read.
    IF p_start = p_stop AND dialer_window_holds(p_start, p_stop, NULL) THEN
        RETURN true;
    END IF;
    RETURN dialer_window_holds(p_start, p_stop, dialer_local(p_zone, p_at));
END
