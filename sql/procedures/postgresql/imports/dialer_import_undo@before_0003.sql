-- dialer_import_undo(p_import, p_after, p_n) -> looked_to, deleted, left_over
-- Delete those of the next p_n cases of an import, by id from after p_after, that have never been dialled. left_over:
-- those of them that stay, since they are being dialled or were. looked_to: where to go on, NULL: there are no more.
-- Locks: the cases, those in a worker's hands excepted.
CREATE OR REPLACE FUNCTION dialer_import_undo(p_import int8, p_after int8, p_n int)
RETURNS TABLE (looked_to int8, deleted int8, left_over int8)
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    v_import dialer_imports;
    v_ids int8[];
    v_deleted int8;
BEGIN
    SELECT * INTO v_import FROM dialer_imports i WHERE i.id = p_import;
    v_ids := ARRAY(
        SELECT c.id FROM dialer_clients c
        WHERE c.id > p_after AND c.id BETWEEN v_import.first_case_id AND v_import.last_case_id AND c.import_id = p_import
        ORDER BY c.id LIMIT p_n);
    DELETE FROM dialer_clients c
    WHERE c.id = ANY (v_ids) AND c.import_id = p_import
      AND NOT c.checked AND c.last_attempt_id IS NULL AND c.tried_at IS NULL;
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    UPDATE dialer_imports i
    SET undone = i.undone + v_deleted, undone_at = coalesce(i.undone_at, now())
    WHERE i.id = p_import;
    RETURN QUERY SELECT v_ids[cardinality(v_ids)], v_deleted, cardinality(v_ids) - v_deleted;
END
$$
