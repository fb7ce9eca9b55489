-- dialer_clients_check(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at, region, fields)
-- The insert contract of a case: refuses what could never be dialled or would mean two things on the two databases, with
-- what dialer_clients_fault says of it, SQLSTATE 23514. Called by the triggers of dialer_clients.
CREATE OR REPLACE PROCEDURE dialer_clients_check(
    p_id bigint,
    p_case_name varchar(4000),
    p_project_id varchar(400),
    p_phone_number varchar(400),
    p_priority bigint,
    p_utc varchar(400),
    p_used int,
    p_call_back int,
    p_start varchar(400),
    p_stop varchar(400),
    p_period varchar(1000),
    p_deferred_time datetime(6),
    p_deferred_done int,
    p_created datetime(6),
    p_inserted_at datetime(6),
    p_region varchar(400),
    p_fields longtext
)
READS SQL DATA
BEGIN
    -- The triggers have these patterns, too, and call this only for a row that fails one: a call costs more than all of
    -- them.
    DECLARE v_fault varchar(2000) DEFAULT dialer_clients_fault(p_id, p_case_name, p_project_id, p_phone_number, p_priority, p_utc,
        p_used, p_call_back, p_start, p_stop, p_period, p_deferred_time, p_deferred_done, p_created, p_inserted_at, p_region,
        p_fields);
    IF v_fault IS NOT NULL THEN
        SIGNAL SQLSTATE '23514' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = v_fault;
    END IF;
END
