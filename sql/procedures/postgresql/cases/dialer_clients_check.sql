-- dialer_clients_check(id, case_name, project_id, phone_number, priority, utc, used, call_back, start, stop, period,
--     deferred_time, deferred_done, created, inserted_at, region, fields)
-- The insert contract of a case: refuses what could never be dialled or would mean two things on the two databases, with
-- what dialer_clients_fault says of it, SQLSTATE 23514. Called by the triggers of dialer_clients.
CREATE OR REPLACE FUNCTION dialer_clients_check(
    p_id int8,
    p_case_name varchar,
    p_project_id varchar,
    p_phone_number varchar,
    p_priority int8,
    p_utc varchar,
    p_used bool,
    p_call_back bool,
    p_start varchar,
    p_stop varchar,
    p_period varchar,
    p_deferred_time timestamptz,
    p_deferred_done bool,
    p_created timestamptz,
    p_inserted_at timestamptz,
    p_region varchar,
    p_fields jsonb
)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
DECLARE
    -- Without bounds like {1,80}: they make a pattern many times larger.
    c_number CONSTANT varchar := '^[+*#]*[0-9][+*#0-9]*$';
    c_period CONSTANT varchar := '^ *([0-9]{1,6}( *, *[0-9]{1,6})* *)?$';
    c_usual_offset CONSTANT varchar := '^[+-](0?[0-9]|1[01])([.:](00|15|30|45))?h?$';
    c_region CONSTANT varchar := '^[A-Z][A-Z](-[A-Z0-9][A-Z0-9]?[A-Z0-9]?)?$';
    v_fault varchar;
BEGIN
    -- Good rows, by far the most, cost one expression; dialer_clients_fault finds out what is wrong with a bad row.
    IF p_phone_number ~ c_number AND length(p_phone_number) <= 80
       AND dialer_time(p_start) IS NOT NULL
       AND dialer_time(p_stop) IS NOT NULL
       AND (p_period IS NULL OR p_period ~ c_period AND length(p_period) <= 500)
       AND dialer_printable(p_case_name || p_project_id)
       AND length(p_case_name) <= 1000
       AND length(p_project_id) BETWEEN 1 AND 100
       AND (p_utc IS NULL OR p_utc ~ c_usual_offset OR p_utc = '' OR dialer_zone_known(p_utc))
       AND (p_region IS NULL OR p_region ~ c_region)
       AND (p_fields IS NULL OR jsonb_typeof(p_fields) = 'object' AND length(p_fields::varchar) <= 10000)
       AND p_id BETWEEN 1 AND 1000000000000000000
       AND p_priority IS NOT NULL AND p_used IS NOT NULL AND p_call_back IS NOT NULL AND p_deferred_done IS NOT NULL
       AND p_created IS NOT NULL AND p_inserted_at IS NOT NULL
       AND least(p_created, p_inserted_at, p_deferred_time) >= '1971-01-01 00:00:00Z'
       AND greatest(p_created, p_inserted_at, p_deferred_time) < '2038-01-19 00:00:00Z' THEN
        RETURN;
    END IF;
    v_fault := dialer_clients_fault(p_id, p_case_name, p_project_id, p_phone_number, p_priority, p_utc, p_used, p_call_back,
        p_start, p_stop, p_period, p_deferred_time, p_deferred_done, p_created, p_inserted_at, p_region, p_fields);
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION '%', v_fault USING ERRCODE = '23514';
    END IF;
END
$$
