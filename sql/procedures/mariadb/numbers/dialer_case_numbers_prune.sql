-- dialer_case_numbers_prune(p_after, p_n) -> the last case that was looked at, 0: there are no more
-- Delete the further numbers of cases that are gone, or that are other cases by now: of the next p_n by case_id from
-- after p_after. For dialer_screen; a trigger of dialer_clients must not touch rows that people edit. Nobody waits.
CREATE OR REPLACE PROCEDURE dialer_case_numbers_prune(p_after bigint, p_n int, OUT p_to bigint)
BEGIN
    SELECT max(q.case_id) INTO p_to
    FROM (
        SELECT f.case_id FROM dialer_case_numbers f WHERE f.case_id > p_after GROUP BY f.case_id ORDER BY f.case_id LIMIT p_n
    ) q;
    FOR k IN (
        SELECT f.case_id, f.place, f.case_inserted_at
        FROM dialer_case_numbers f
        LEFT JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at
        WHERE f.case_id > p_after AND f.case_id <= p_to AND c.id IS NULL
    ) DO
        one: BEGIN
            DECLARE EXIT HANDLER FOR 1205 BEGIN END;
            SET STATEMENT innodb_lock_wait_timeout = 0 FOR
            DELETE FROM dialer_case_numbers
            WHERE case_id = k.case_id AND place = k.place AND case_inserted_at = k.case_inserted_at;
        END;
    END FOR;
    SET p_to = coalesce(p_to, 0);
END
