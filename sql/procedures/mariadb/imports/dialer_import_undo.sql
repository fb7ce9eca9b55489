-- dialer_import_undo(p_import, p_after, p_n) -> looked_to, deleted, left_over
-- Delete those of the next p_n cases of an import, by id from after p_after, that have never been dialled. left_over:
-- those of them that stay, since they are being dialled or were. looked_to: where to go on, NULL: there are no more.
-- Further numbers go with their cases, unless somebody holds their rows: those go later, by dialer_screen. Locks: the
-- cases, those in a worker's hands excepted.
CREATE OR REPLACE PROCEDURE dialer_import_undo(p_import bigint, p_after bigint, p_n int)
BEGIN
    DECLARE v_first bigint;
    DECLARE v_last bigint;
    DECLARE v_to bigint;
    DECLARE v_looked bigint;
    DECLARE v_deleted bigint DEFAULT 0;
    DECLARE v_pruned bigint;
    SELECT i.first_case_id, i.last_case_id INTO v_first, v_last FROM dialer_imports i WHERE i.id = p_import;
    SELECT max(s.id), min(s.id) - 1, count(*) INTO v_to, v_pruned, v_looked FROM (
        SELECT c.id FROM dialer_clients c
        WHERE c.id > p_after AND c.id BETWEEN v_first AND v_last AND c.import_id = p_import
        ORDER BY c.id LIMIT p_n) s;
    IF v_to IS NOT NULL THEN
        DELETE FROM dialer_clients
        WHERE id > p_after AND id BETWEEN v_first AND v_to AND import_id = p_import
          AND NOT checked AND last_attempt_id IS NULL AND tried_at IS NULL;
        SET v_deleted = row_count();
        WHILE v_deleted > 0 AND v_pruned < v_to DO
            CALL dialer_case_numbers_prune(v_pruned, p_n, v_pruned);
            SET v_pruned = coalesce(nullif(v_pruned, 0), v_to);
        END WHILE;
    END IF;
    UPDATE dialer_imports i
    SET i.undone = i.undone + v_deleted, i.undone_at = coalesce(i.undone_at, now(6))
    WHERE i.id = p_import;
    SELECT v_to AS looked_to, v_deleted AS deleted, v_looked - v_deleted AS left_over;
END
