-- dialer_case_lock(p_case, p_locked)
-- Lock a case for the transaction, unless somebody else holds it: then p_locked is true, and nobody waits. For other
-- routines. (PostgreSQL has SKIP LOCKED; MariaDB has it from 10.6 on, and NOWAIT raises 1205 at once. A routine must
-- not contain these words literally.)
CREATE OR REPLACE PROCEDURE dialer_case_lock(p_case bigint, OUT p_locked tinyint(1))
BEGIN
    DECLARE CONTINUE HANDLER FOR 1205 SET p_locked = true;
    SET p_locked = false;
    EXECUTE IMMEDIATE 'SELECT c.id INTO @dialer_case FROM dialer_clients c WHERE c.id = ? FOR UPDATE NOWAIT' USING p_case;
END
