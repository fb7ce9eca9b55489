-- dialer_zones_known(p_zones) -> bool
-- Are they zones joined by &, each of them one that this server knows (dialer_zone_known)?
CREATE OR REPLACE FUNCTION dialer_zones_known(p_zones varchar(4000))
RETURNS tinyint(1)
DETERMINISTIC READS SQL DATA
BEGIN
    DECLARE v_rest varchar(4001) DEFAULT concat(p_zones, '&');
    IF p_zones IS NULL THEN
        RETURN NULL;
    END IF;
    WHILE v_rest <> '' DO
        IF NOT coalesce(dialer_zone_known(left(substring_index(v_rest, '&', 1), 400)), false) THEN
            RETURN false;
        END IF;
        SET v_rest = substr(v_rest, char_length(substring_index(v_rest, '&', 1)) + 2);
    END WHILE;
    RETURN true;
END
