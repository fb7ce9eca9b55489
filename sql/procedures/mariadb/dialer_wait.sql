-- dialer_wait(p_seconds, p_seen) -> id, project_id, is_wanted
-- Wait up to p_seconds for wake-ups that the caller has not seen; p_seen: the ids that it has, separated by commas.
-- is_wanted false: no worker waits for cases of that project now. PostgreSQL has NOTIFY for this.
-- A row is there for every worker, whatever the order in which ids are committed: who has had a row for a while
-- deletes it by its id (a range would wait for what others are writing). Reads only, and locks nothing.
CREATE OR REPLACE PROCEDURE dialer_wait(p_seconds decimal(10, 3), p_seen longtext)
READS SQL DATA
BEGIN
    DECLARE v_until datetime(6) DEFAULT sysdate(6) + INTERVAL p_seconds SECOND;
    DECLARE v_found bigint;
    look: LOOP
        SELECT count(*) INTO v_found FROM dialer_wakeups k WHERE NOT find_in_set(k.id, p_seen);
        IF v_found > 0 OR sysdate(6) >= v_until THEN
            LEAVE look;
        END IF;
        -- A wake-up is heard after half of this on average; what it costs the server cannot be seen at this length.
        DO sleep(0.05);
    END LOOP;
    SELECT k.id, k.project_id,
        NOT k.only_hungry OR EXISTS (
            SELECT 1 FROM dialer_projects j
            WHERE j.project_id = k.project_id AND j.hungry AND j.wanted = 'start') AS is_wanted
    FROM dialer_wakeups k
    WHERE NOT find_in_set(k.id, p_seen)
    ORDER BY k.id;
END
