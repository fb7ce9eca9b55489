-- dialer_import_fault(p_case_name, p_project_id, p_phone_number, p_priority, p_utc, p_start, p_stop, p_call_back, p_period,
--     p_deferred_time, p_region, p_fields) -> sentence
-- The first thing that is wrong with a line of a file, as dialer_refusal says it; NULL: nothing. Texts that are no value
-- of their column's type first, then what dialer_clients_fault finds. Written: true and false as 1 and 0, instants as
-- 2026-11-24 09:00:00 by UTC, fields as valid JSON, the rest as in the column; NULL: what the column has by default.
CREATE OR REPLACE FUNCTION dialer_import_fault(
    p_case_name varchar,
    p_project_id varchar,
    p_phone_number varchar,
    p_priority varchar,
    p_utc varchar,
    p_start varchar,
    p_stop varchar,
    p_call_back varchar,
    p_period varchar,
    p_deferred_time varchar,
    p_region varchar,
    p_fields varchar
)
RETURNS varchar
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
AS $$
BEGIN
    IF p_priority !~ '^[+-]?[0-9]{1,18}$' THEN
        RETURN dialer_refusal('dialer_clients.priority', p_priority, 'write a whole number, or leave the column out');
    END IF;
    IF p_call_back NOT IN ('0', '1') THEN
        RETURN dialer_refusal('dialer_clients.call_back', p_call_back, 'write true or false, or leave the column out');
    END IF;
    IF p_deferred_time !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$' THEN
        RETURN dialer_refusal('dialer_clients.deferred_time', p_deferred_time, 'write an instant like 2026-11-24 09:00:00');
    END IF;
    RETURN dialer_clients_fault(1, coalesce(p_case_name, ''), p_project_id, p_phone_number, coalesce(p_priority, '1')::int8,
        p_utc, false, coalesce(p_call_back, '0') = '1', coalesce(p_start, '00:00:00'), coalesce(p_stop, '00:00:00'), p_period,
        (p_deferred_time || 'Z')::timestamptz, false, now(), now(), p_region, p_fields::jsonb);
END
$$
