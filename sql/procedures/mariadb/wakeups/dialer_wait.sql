-- dialer_wait(p_seconds, p_seen) -> session, project_id, only_hungry, written_at, is_wanted
-- Wait up to p_seconds until dialer_wakeups differs from p_seen (the `mark` that the last call gave; NULL: do not
-- wait), then return all of its rows; the caller knows which of them are new to it.
-- is_wanted false: no worker waits for cases of that project now. PostgreSQL has NOTIFY for this.
-- A row is there for every worker, whatever the order in which transactions are committed; a worker that has known one
-- for a while deletes it by its key. Reads only, and locks nothing.
CREATE OR REPLACE PROCEDURE dialer_wait(p_seconds decimal(10, 3), p_seen bigint)
READS SQL DATA
BEGIN
    DECLARE v_until datetime(6) DEFAULT sysdate(6) + INTERVAL p_seconds SECOND;
    DECLARE v_began datetime(6);
    DECLARE v_mark bigint;
    look: LOOP
        SET v_began = sysdate(6);
        SELECT coalesce(bit_xor(crc32(concat_ws(' ', k.session, k.only_hungry, k.written_at, k.project_id))), 0) + 1
        INTO v_mark FROM dialer_wakeups k;
        IF NOT v_mark <=> p_seen OR sysdate(6) >= v_until THEN
            LEAVE look;
        END IF;
        -- On average a wake-up is noticed after half of this; at this length the cost for the server cannot be
        -- measured. If there are many rows, the server must not spend all its time looking.
        DO sleep(greatest(0.05, 20 * timestampdiff(MICROSECOND, v_began, sysdate(6)) / 1000000));
    END LOOP;
    SELECT v_mark AS mark, k.session, k.project_id, k.only_hungry, k.written_at,
        NOT k.only_hungry OR EXISTS (
            SELECT 1 FROM dialer_projects j
            WHERE j.project_id = k.project_id AND j.hungry AND j.wanted = 'start') AS is_wanted
    FROM dialer_wakeups k
    ORDER BY k.written_at
    LIMIT 10000;
END
