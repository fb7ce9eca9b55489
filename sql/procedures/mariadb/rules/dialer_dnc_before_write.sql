-- Trigger, BEFORE INSERT OR UPDATE ON dialer_dnc: the number in the form that cases have (dialer_number), then the
-- checks; and when the row was changed.
-- What a subscriber asked for in a call (attempt_id) is taken as it is: it is the number that was called.
CREATE OR REPLACE TRIGGER dialer_dnc_before_write BEFORE INSERT OR UPDATE ON dialer_dnc
FOR EACH ROW
BEGIN
    DECLARE v_country varchar(2);
    DECLARE v_abroad varchar(20);
    DECLARE v_number varchar(400) DEFAULT NEW.number;
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_dnc');
    END IF;
    CALL dialer_scope_check('dialer_dnc', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.attempt_id IS NULL AND NOT coalesce(v_number REGEXP '^[+]([0-9]{3,15}|[0-9]{1,15}[*])\\z', false) THEN
        SELECT coalesce(dialer_country(coalesce(NEW.project_id, '')), max(p.country), nullif(dialer_setting('country'), ''))
        INTO v_country
        FROM dialer_params p WHERE p.project_id = NEW.project_id;
        SELECT max(p.international_prefix) INTO v_abroad FROM dialer_countries p WHERE p.country = v_country;
        IF v_country IS NULL AND v_number REGEXP '^[0-9]{3,20}\\z' THEN
            CALL dialer_refuse('dialer_dnc.number', v_number, concat('write it with + and its country code; without, write',
                ' the country by which numbers are read into dialer_settings (country) or dialer_params.country first'));
        END IF;
        SET v_number = CASE
            WHEN v_number REGEXP '^[0-9]{3,20}\\z' THEN dialer_number(v_number, v_country)
            WHEN v_number NOT REGEXP '^[0-9]+[*]\\z' THEN v_number
            -- What a prefix without + is a prefix of would depend on how the rest is written.
            WHEN left(v_number, char_length(v_abroad)) = v_abroad
                THEN concat('+', substr(v_number, char_length(v_abroad) + 1))
            WHEN v_country IS NOT NULL AND left(v_number, 2) = '00' THEN concat('+', substr(v_number, 3))
            ELSE v_number
        END;
        IF NOT coalesce(v_number REGEXP '^([+]?[0-9]{3,15}|[+][0-9]{1,15}[*])\\z', false) THEN
            CALL dialer_refuse('dialer_dnc.number', NEW.number, concat('write + and 3 to 15 digits, country code first;',
                ' a prefix as + and its digits with * at the end, like +7495*'));
        END IF;
        SET NEW.number = v_number;
    END IF;
    IF NOT coalesce(dialer_printable(NEW.number) AND char_length(NEW.number) BETWEEN 1 AND 80, false) THEN
        CALL dialer_refuse('dialer_dnc.number', NEW.number, 'write + and 3 to 15 digits, country code first');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.reason) AND char_length(NEW.reason) <= 300, false) THEN
        CALL dialer_refuse('dialer_dnc.reason', NEW.reason,
            'write up to 300 characters, without line breaks and other control characters');
    END IF;
    IF unix_timestamp(NEW.from_at) NOT BETWEEN 31536000 AND 2147471999.999999 THEN
        CALL dialer_refuse('dialer_dnc.from_at', NEW.from_at,
            'write an instant from 1971 to 2038-01-18, or NULL (at once)');
    END IF;
    IF unix_timestamp(NEW.until_at) NOT BETWEEN 31536000 AND 2147471999.999999 THEN
        CALL dialer_refuse('dialer_dnc.until_at', NEW.until_at,
            'write an instant from 1971 to 2038-01-18, or NULL (for ever)');
    END IF;
    IF NEW.until_at <= NEW.from_at THEN
        CALL dialer_refuse('dialer_dnc.until_at', NEW.until_at, 'write an instant after from_at, or NULL');
    END IF;
    IF NEW.added_at = OLD.added_at AND NOT (NEW.number <=> OLD.number AND NEW.project_id <=> OLD.project_id AND
        NEW.client <=> OLD.client AND NEW.region <=> OLD.region AND NEW.purpose <=> OLD.purpose AND
        NEW.from_at <=> OLD.from_at AND NEW.until_at <=> OLD.until_at) THEN
        SET NEW.added_at = dialer_now();
    END IF;
END
