-- dialer_agents_write(p_worker, p_asterisk, p_epoch, p_members, p_now)
-- What the owner of an Asterisk sees its queue members do: JSON array of {"queue", "interface", "name",
-- "state", "since": seconds ago}, all of them; a member that is not in it has left.
CREATE OR REPLACE PROCEDURE dialer_agents_write(
    p_worker bigint,
    p_asterisk varchar(400),
    p_epoch bigint,
    p_members longtext,
    p_now datetime(6)
)
BEGIN
    DECLARE v_owns tinyint(1);
    DECLARE v_now datetime(6);
    DECLARE v_own tinyint(1) DEFAULT NOT @@in_transaction;
    DECLARE EXIT HANDLER FOR SQLEXCEPTION
    BEGIN
        IF v_own THEN
            ROLLBACK;
        END IF;
        RESIGNAL;
    END;
    -- Inside somebody's transaction it is a part of that one.
    IF v_own THEN
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        START TRANSACTION;
    END IF;
    CREATE TEMPORARY TABLE IF NOT EXISTS dialer_members (
        queue varchar(200) NOT NULL,
        interface varchar(200) NOT NULL,
        name varchar(400) NOT NULL,
        state varchar(20) NOT NULL,
        since_at datetime(6) NOT NULL
    ) ENGINE = MEMORY CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
    DELETE FROM dialer_members;
    CALL dialer_owns(p_worker, p_asterisk, p_epoch, v_owns);
    IF v_owns THEN
        SELECT dialer_instant(p_now) INTO v_now;
        -- JSON_TABLE came with 10.6.
        INSERT INTO dialer_members (queue, interface, name, state, since_at)
        SELECT json_value(p_members, concat('$[', s.seq, '].queue')),
            json_value(p_members, concat('$[', s.seq, '].interface')),
            json_value(p_members, concat('$[', s.seq, '].name')),
            json_value(p_members, concat('$[', s.seq, '].state')),
            v_now - INTERVAL CAST(json_value(p_members, concat('$[', s.seq, '].since')) AS decimal(20, 6)) SECOND
        FROM seq_0_to_9999 s
        WHERE s.seq < json_length(p_members);
        DELETE g FROM dialer_agents g
        LEFT JOIN dialer_members m ON m.queue = g.queue AND m.interface = g.interface
        WHERE g.asterisk = p_asterisk AND m.queue IS NULL;
        INSERT INTO dialer_agents (asterisk, queue, interface, name, state, since_at)
        SELECT p_asterisk, m.queue, m.interface, m.name, m.state, m.since_at
        FROM dialer_members m
        ORDER BY m.queue, m.interface
        ON DUPLICATE KEY UPDATE
            since_at = IF(dialer_agents.name = VALUES(name) AND dialer_agents.state = VALUES(state),
                dialer_agents.since_at, VALUES(since_at)),
            name = VALUES(name),
            state = VALUES(state);
    END IF;
    IF v_own THEN
        COMMIT;
    END IF;
END
