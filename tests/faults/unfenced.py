"""A dialer without its fences, for the control run: the judge must catch what it does.

`python -m tests.faults.unfenced worker` is `dialer worker` that dials with or without a lease; `unfence(sql)`
makes the database of a test believe every worker the owner of every Asterisk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dialer.__main__ import main  # first: it patches the process
from worker.owners.keeper import Keeper

_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION dialer_owns(p_worker bigint, p_asterisk varchar, p_epoch bigint)
    RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT true'
    """,
    """
    CREATE OR REPLACE FUNCTION dialer_asterisk_own(p_worker bigint, p_asterisk varchar, p_lease_seconds numeric)
    RETURNS bigint LANGUAGE sql VOLATILE SET search_path FROM CURRENT AS $$
        INSERT INTO dialer_asterisks (asterisk) VALUES (p_asterisk) ON CONFLICT DO NOTHING;
        UPDATE dialer_asterisks SET worker_id = p_worker, epoch = 1, lease_until = clock_timestamp() + interval '1 day'
        WHERE asterisk = p_asterisk
        RETURNING epoch;
    $$
    """,
)
_MARIADB = (
    """
    CREATE OR REPLACE PROCEDURE dialer_owns(
        p_worker bigint, p_asterisk varchar(400), p_epoch bigint, OUT p_owns tinyint(1)
    )
    SET p_owns = true
    """,
    """
    CREATE OR REPLACE PROCEDURE dialer_asterisk_own(
        p_worker bigint, p_asterisk varchar(400), p_lease_seconds decimal(20, 6)
    )
    BEGIN
        INSERT IGNORE INTO dialer_asterisks (asterisk) VALUES (p_asterisk);
        UPDATE dialer_asterisks SET worker_id = p_worker, epoch = 1, lease_until = sysdate(6) + INTERVAL 1 DAY
        WHERE asterisk = p_asterisk;
        SELECT 1 AS epoch;
    END
    """,
)


def unfence(sql: Callable[[str], Sequence[Mapping[str, Any]]], *, mariadb: bool) -> None:
    """Replace, in the schema that `sql` works in, the routines that keep a stale worker out."""
    for statement in _MARIADB if mariadb else _POSTGRESQL:
        sql(statement)


if __name__ == "__main__":
    Keeper.may_dial = lambda self: True  # type: ignore[method-assign]
    sys.exit(main())
