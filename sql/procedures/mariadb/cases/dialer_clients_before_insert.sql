-- Trigger, BEFORE INSERT ON dialer_clients: old names first, then what a promise means, then the checks.
-- A case inserted as used, or with its promise kept, stays so. A session that brings cases back exactly as they were
-- (from an archive) runs SET dialer.restoring = 'on' (PostgreSQL), SET @dialer_restoring = true (MariaDB); even then
-- checked is set by the dialer alone. What dialer_import_put inserts has been checked, and has its number.
CREATE OR REPLACE TRIGGER dialer_clients_before_insert BEFORE INSERT ON dialer_clients
FOR EACH ROW
one: BEGIN
    IF NEW.import_id = @dialer_importing AND NEW.number <> '' THEN
        LEAVE one;
    END IF;
    IF @@warning_count > 0 OR @@max_error_count = 0 OR @@default_regex_flags <> '' THEN
        CALL dialer_bent('dialer_clients');
    END IF;
    -- The country of the last row's project, found once per statement.
    IF NOT coalesce(@dialer_country_at = now(6) AND @dialer_country_of = NEW.project_id, false) THEN
        SET @dialer_country_at = now(6), @dialer_country_of = NEW.project_id,
            @dialer_country = dialer_country(NEW.project_id);
    END IF;
    SET NEW.number = IF(@dialer_country IS NULL, NEW.phone_number, dialer_number(NEW.phone_number, @dialer_country));
    -- No variable of the trigger's own: each row would pay for it, those of an import, too.
    SET @dialer_place = IF(NEW.number LIKE '+%', dialer_place(NEW.number), NULL);
    SET NEW.number_region = nullif(substring_index(@dialer_place, '|', 1), ''),
        NEW.zones = nullif(substring_index(@dialer_place, '|', -1), '');
    -- By far the most rows are fresh cases with columns that are plainly right: nothing of what follows concerns them, and each
    -- step of a trigger costs a microsecond. A pattern is read anew for each row, which costs more than to apply it, so there
    -- is one for six columns, with line breaks between them, which none of them may have; half a pair fits no pattern.
    IF NOT coalesce(NEW.recall IS NULL AND NEW.recall_period IS NULL AND NOT NEW.checked
       AND NEW.deferred_time IS NULL AND NEW.deferred_kind IS NULL AND NEW.created = now(6) AND NEW.inserted_at = NEW.created
       AND NEW.redials_done + NEW.failures + NEW.brought_back = 0 AND NEW.number_place = 1
       AND coalesce(NEW.not_before_at, NEW.last_attempt_id, NEW.tried_at, NEW.held_for, NEW.held_until, NEW.call_back_period,
           NEW.region) IS NULL
       AND unix_timestamp(NEW.created) BETWEEN 31536000 AND 2147471999.999999
       AND (NEW.id IS NULL OR NEW.id BETWEEN 0 AND 1000000000000000000) AND NEW.priority IS NOT NULL
       AND NEW.used IN (0, 1) AND NEW.call_back IN (0, 1) AND NEW.deferred_done IN (0, 1)
       AND char_length(NEW.case_name) <= 1000 AND char_length(NEW.project_id) BETWEEN 1 AND 100
       AND concat_ws('\n', NEW.phone_number, coalesce(NEW.utc, ''), NEW.allowed_start, NEW.allowed_stop,
            NEW.project_id, NEW.case_name) REGEXP
            '^[+]?[0-9]{1,80}\\n([+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?)?\\n'
           '([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\\n([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\\n'
           '[^\\x00-\\x1f\\x7f-\\x{9f}]*\\n[^\\x00-\\x1f\\x7f-\\x{9f}]*\\z'
       AND (NEW.fields IS NULL
           OR (left(NEW.fields, 1) = '{' AND json_valid(NEW.fields) AND char_length(NEW.fields) <= 10000)),
       false) THEN
        IF NEW.recall IS NOT NULL OR NEW.recall_period IS NOT NULL THEN
            SET NEW.call_back = coalesce(NEW.recall, NEW.call_back),
                NEW.call_back_period = coalesce(NEW.recall_period, NEW.call_back_period),
                NEW.recall = NULL,
                NEW.recall_period = NULL;
        END IF;
        SET NEW.checked = false,
            -- This identifies the case, whatever happens to created. Its default, now, shows that nobody has written it.
            NEW.inserted_at = coalesce(nullif(NEW.inserted_at, now(6)), NEW.created);
        IF NOT coalesce(CAST(@dialer_restoring AS char) IN ('1', 'on', 'true'), false) THEN
            IF NOT (NEW.used OR NEW.deferred_done) THEN
                SET NEW.deferred_kind = NULL;
            END IF;
            -- These count what the dialer did with a case, so only the dialer writes them.
            SET NEW.redials_done = 0,
                NEW.failures = 0,
                NEW.brought_back = 0,
                NEW.number_place = 1,
                NEW.not_before_at = NULL,
                NEW.last_attempt_id = NULL,
                NEW.tried_at = NULL,
                NEW.held_for = NULL,
                NEW.held_until = NULL;
            IF NEW.deferred_time IS NOT NULL AND second(NEW.deferred_time) <= 14
               AND (coalesce(@dialer_read_at <> now(6), true) OR @dialer_offset_written)
               AND dialer_offset_written(NEW.deferred_time, true) THEN
                CALL dialer_refuse('dialer_clients.deferred_time', NEW.deferred_time,
                    concat('write it in the zone of the session, without an offset; from a file:',
                        ' SET deferred_time = str_to_date(@text, ''%Y-%m-%d %H:%i:%s'')'));
            END IF;
            IF coalesce(NEW.created <> now(6), false) AND second(NEW.created) <= 14
               AND (coalesce(@dialer_read_at <> now(6), true) OR @dialer_offset_written)
               AND dialer_offset_written(NEW.created, false) THEN
                CALL dialer_refuse('dialer_clients.created', NEW.created,
                    'write it in the zone of the session, without an offset');
            END IF;
        ELSE
            -- It was away for a moment.
            SET NEW.checked = EXISTS (
                SELECT 1 FROM dialer_claims l WHERE l.case_id = NEW.id AND l.case_inserted_at = NEW.inserted_at);
        END IF;
        SET NEW.deferred_kind = IF(NEW.deferred_time IS NULL, NULL, coalesce(NEW.deferred_kind, 'scheduled'));
        IF NOT coalesce(NEW.phone_number REGEXP '^[+*#]*[0-9][+*#0-9]*\\z' AND char_length(NEW.phone_number) <= 80
           AND NEW.allowed_start REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z'
           AND NEW.allowed_stop REGEXP '^(([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)\\z'
           AND (NEW.call_back_period IS NULL OR NEW.call_back_period REGEXP '^[0-9]{1,6}(,[0-9]{1,6}){0,50}\\z')
           AND CAST(concat(NEW.case_name, NEW.project_id) AS binary)
               NOT REGEXP '[\\x00-\\x1f\\x7f]|\\xC2[\\x80-\\x9F]|\\xED[\\xA0-\\xBF]'
           AND char_length(NEW.case_name) <= 1000 AND char_length(NEW.project_id) BETWEEN 1 AND 100
           AND (NEW.utc IS NULL OR NEW.utc REGEXP '^[+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?\\z')
           AND (NEW.id IS NULL OR NEW.id BETWEEN 0 AND 1000000000000000000 OR NEW.project_id = '-')
           AND NEW.priority IS NOT NULL
           AND NEW.used IN (0, 1) AND NEW.call_back IN (0, 1) AND NEW.deferred_done IN (0, 1)
           AND unix_timestamp(NEW.created) BETWEEN 31536000 AND 2147471999.999999 AND NEW.inserted_at = NEW.created
           AND (NEW.deferred_time IS NULL OR unix_timestamp(NEW.deferred_time) BETWEEN 31536000 AND 2147471999.999999)
           AND (NEW.region IS NULL OR NEW.region REGEXP '^[A-Z]{2}(-[A-Z0-9]{1,3})?\\z')
           AND (NEW.fields IS NULL OR IF(json_valid(NEW.fields), json_type(NEW.fields) = 'OBJECT', false)
               AND char_length(NEW.fields) <= 10000),
           false) THEN
            -- 0 and NULL mean the next id; with project '-' the dialer writes in place of an UPDATE, see
            -- dialer_case_settle.
            CALL dialer_clients_check(IF(NEW.project_id = '-', 1, coalesce(nullif(NEW.id, 0), 1)), NEW.case_name, NEW.project_id,
                NEW.phone_number, NEW.priority, NEW.utc, NEW.used, NEW.call_back, NEW.allowed_start, NEW.allowed_stop,
                NEW.call_back_period, NEW.deferred_time, NEW.deferred_done, NEW.created, NEW.inserted_at,
                NEW.region, NEW.fields);
        END IF;
    END IF;
END
