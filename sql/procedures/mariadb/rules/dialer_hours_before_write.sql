-- Trigger, BEFORE INSERT OR UPDATE ON dialer_hours: the checks.
CREATE OR REPLACE TRIGGER dialer_hours_before_write BEFORE INSERT OR UPDATE ON dialer_hours
FOR EACH ROW
BEGIN
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_hours');
    END IF;
    CALL dialer_scope_check('dialer_hours', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF dialer_weekdays(NEW.weekdays) IS NULL OR char_length(NEW.weekdays) > 40 THEN
        CALL dialer_refuse('dialer_hours.weekdays', NEW.weekdays,
            'write days and ranges of Mo Tu We Th Fr Sa Su, and PH (public holidays), by commas: Mo-Fr,Su,PH');
    END IF;
    IF dialer_time(NEW.starts) IS NULL THEN
        CALL dialer_refuse('dialer_hours.starts', NEW.starts, 'write a time of day like 09:00');
    END IF;
    IF dialer_time(NEW.stops) IS NULL THEN
        CALL dialer_refuse('dialer_hours.stops', NEW.stops, 'write a time of day like 21:00, 24:00 for the day''s end');
    END IF;
    IF dialer_time(NEW.starts) >= dialer_time(NEW.stops) THEN
        CALL dialer_refuse('dialer_hours.stops', NEW.stops, 'write a time after starts; hours that pass midnight are'
            ' two rows, one until 24:00 and one from 00:00');
    END IF;
    IF NOT dialer_printable(NEW.preset) OR char_length(NEW.preset) NOT BETWEEN 1 AND 40 THEN
        CALL dialer_refuse('dialer_hours.preset', NEW.preset, 'write NULL; the presets'' names are dialer rules'' own');
    END IF;
    SET NEW.days = dialer_weekdays(NEW.weekdays);
END
