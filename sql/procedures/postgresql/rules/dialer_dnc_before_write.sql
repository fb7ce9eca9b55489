-- Trigger, BEFORE INSERT OR UPDATE ON dialer_dnc: the number in the form that cases have (dialer_number), then the
-- checks; and when the row was changed.
-- What a subscriber asked for in a call (attempt_id) is taken as it is: it is the number that was called.
CREATE OR REPLACE FUNCTION dialer_dnc_before_write()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    v_country varchar;
    v_abroad varchar;
    v_number varchar := NEW.number;
BEGIN
    PERFORM dialer_scope_check('dialer_dnc', NEW.project_id, NEW.client, NEW.region, NEW.purpose);
    IF NEW.attempt_id IS NULL AND NOT coalesce(v_number ~ '^[+]([0-9]{3,15}|[0-9]{1,15}[*])$', false) THEN
        SELECT coalesce(dialer_country(coalesce(NEW.project_id, '')), max(p.country), nullif(dialer_setting('country'), ''))
        INTO v_country
        FROM dialer_params p WHERE p.project_id = NEW.project_id;
        SELECT max(p.international_prefix) INTO v_abroad FROM dialer_countries p WHERE p.country = v_country;
        IF v_country IS NULL AND v_number ~ '^[0-9]{3,20}$' THEN
            PERFORM dialer_refuse('dialer_dnc.number', v_number, 'write it with + and its country code; without, write'
                ' the country by which numbers are read into dialer_settings (country) or dialer_params.country first');
        END IF;
        v_number := CASE
            WHEN v_number ~ '^[0-9]{3,20}$' THEN dialer_number(v_number, v_country)
            WHEN v_number !~ '^[0-9]+[*]$' THEN v_number
            -- What a prefix without + is a prefix of would depend on how the rest is written.
            WHEN starts_with(v_number, v_abroad) THEN '+' || substr(v_number, length(v_abroad) + 1)
            WHEN v_country IS NOT NULL AND starts_with(v_number, '00') THEN '+' || substr(v_number, 3)
            ELSE v_number
        END;
        IF NOT coalesce(v_number ~ '^([+]?[0-9]{3,15}|[+][0-9]{1,15}[*])$', false) THEN
            PERFORM dialer_refuse('dialer_dnc.number', NEW.number, 'write + and 3 to 15 digits, country code first;'
                ' a prefix as + and its digits with * at the end, like +7495*');
        END IF;
        NEW.number := v_number;
    END IF;
    IF NOT coalesce(dialer_printable(NEW.number) AND length(NEW.number) BETWEEN 1 AND 80, false) THEN
        PERFORM dialer_refuse('dialer_dnc.number', NEW.number, 'write + and 3 to 15 digits, country code first');
    END IF;
    IF NOT coalesce(dialer_printable(NEW.reason) AND length(NEW.reason) <= 300, false) THEN
        PERFORM dialer_refuse('dialer_dnc.reason', NEW.reason,
            'write up to 300 characters, without line breaks and other control characters');
    END IF;
    IF extract(epoch FROM NEW.from_at) NOT BETWEEN 31536000 AND 2147471999.999999 THEN
        PERFORM dialer_refuse('dialer_dnc.from_at', NEW.from_at::varchar,
            'write an instant from 1971 to 2038-01-18, or NULL (at once)');
    END IF;
    IF extract(epoch FROM NEW.until_at) NOT BETWEEN 31536000 AND 2147471999.999999 THEN
        PERFORM dialer_refuse('dialer_dnc.until_at', NEW.until_at::varchar,
            'write an instant from 1971 to 2038-01-18, or NULL (for ever)');
    END IF;
    IF NEW.until_at <= NEW.from_at THEN
        PERFORM dialer_refuse('dialer_dnc.until_at', NEW.until_at::varchar, 'write an instant after from_at, or NULL');
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.added_at = OLD.added_at
       AND (NEW.number, NEW.project_id, NEW.client, NEW.region, NEW.purpose, NEW.from_at, NEW.until_at)
        IS DISTINCT FROM (OLD.number, OLD.project_id, OLD.client, OLD.region, OLD.purpose, OLD.from_at, OLD.until_at) THEN
        NEW.added_at := dialer_now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dialer_dnc_before_write BEFORE INSERT OR UPDATE ON dialer_dnc
FOR EACH ROW EXECUTE FUNCTION dialer_dnc_before_write()
