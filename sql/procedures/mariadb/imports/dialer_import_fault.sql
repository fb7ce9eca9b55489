-- dialer_import_fault(p_case_name, p_project_id, p_phone_number, p_priority, p_utc, p_start, p_stop, p_call_back, p_period,
--     p_deferred_time, p_region, p_fields) -> sentence
-- The first thing that is wrong with a line of a file, as dialer_refusal says it; NULL: nothing. Texts that are no value
-- of their column's type first, then what dialer_clients_fault finds. Written: true and false as 1 and 0, instants as
-- 2026-11-24 09:00:00 by UTC, fields as valid JSON, the rest as in the column; NULL: what the column has by default.
CREATE OR REPLACE FUNCTION dialer_import_fault(
    p_case_name text,
    p_project_id varchar(400),
    p_phone_number text,
    p_priority text,
    p_utc text,
    p_start text,
    p_stop text,
    p_call_back text,
    p_period text,
    p_deferred_time text,
    p_region text,
    p_fields longtext
)
RETURNS varchar(2000)
READS SQL DATA
BEGIN
    IF p_priority NOT REGEXP '^[+-]?[0-9]{1,18}\\z' THEN
        RETURN dialer_refusal('dialer_clients.priority', left(p_priority, 1000), 'write a whole number, or leave the column out');
    END IF;
    IF p_call_back NOT IN ('0', '1') THEN
        RETURN dialer_refusal('dialer_clients.call_back', left(p_call_back, 1000), 'write true or false, or leave the column out');
    END IF;
    IF p_deferred_time NOT REGEXP '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\z' THEN
        RETURN dialer_refusal('dialer_clients.deferred_time', left(p_deferred_time, 1000), 'write an instant like 2026-11-24 09:00:00');
    END IF;
    -- Cut to what the parameters hold, which is more than is accepted.
    RETURN dialer_clients_fault(1, left(coalesce(p_case_name, ''), 2000), p_project_id, left(p_phone_number, 400),
        CAST(coalesce(p_priority, '1') AS signed), left(p_utc, 400), false, coalesce(p_call_back, '0') = '1',
        left(coalesce(p_start, '00:00:00'), 400), left(coalesce(p_stop, '00:00:00'), 400), left(p_period, 1000),
        CAST(p_deferred_time AS datetime(6)), false, now(6), now(6), left(p_region, 400), p_fields);
END
