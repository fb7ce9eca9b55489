"""A DBA's hands in the cases while calls are up: rows deleted, replaced, truncated, moved to an archive and back.

Always the cases first that are being called. The ids come again, for other people.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from tests.faults.soak_world import World
from tests.support.dba import Dba

AT_ONCE = 40
"""So many cases are taken at a time."""
DEADLINE_SECONDS = 5
"""So long a DBA waits for a lock before he gives up, as a careful one does."""

# How often each kind falls, as in soak.KINDS; none takes time.
HANDS: Mapping[str, tuple[int, tuple[float, float]]] = {
    "cases deleted": (3, (0.0, 0.0)),
    "cases replaced": (4, (0.0, 0.0)),
    "cases truncated": (1, (0.0, 0.0)),
    "cases archived": (4, (0.0, 0.0)),
    "cases restored": (4, (0.0, 0.0)),
}


class Hands:
    """What the DBA does; `taken_away` has all that has gone, as it was."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._dice = random.Random(seed)
        self._strangers = count(1)
        self._columns = ""
        self.taken_away: list[dict[str, Any]] = []
        self.moves: Mapping[str, Callable[[Dba], None]] = {
            "cases deleted": self._delete,
            "cases replaced": self._replace,
            "cases truncated": self._truncate,
            "cases archived": self._archive,
            "cases restored": self._restore,
        }

    def set_up(self) -> None:
        """The archive, a table of the DBA's own."""
        with self._world.session() as session:
            copy = "(LIKE dialer_clients INCLUDING GENERATED)"
            session.sql(f"CREATE TABLE dba_archive {self._either('LIKE dialer_clients', copy)}")
            rows = session.sql(
                "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'dialer_clients'"
                f" AND table_schema = {self._either('database()', 'current_schema()')} AND is_generated = 'NEVER'"
            )
            self._columns = ", ".join(f"{session.quote}{row['name']}{session.quote}" for row in rows)

    def move(self, kind: str) -> None:
        """One kind of HANDS. Raises one of UNREACHABLE; then nothing has been done."""
        with self._world.session() as session:
            wait = self._either(
                "SET innodb_lock_wait_timeout = {0}, lock_wait_timeout = {0}", "SET lock_timeout = '{0}s'"
            )
            session.sql(wait.format(DEADLINE_SECONDS))
            self.moves[kind](session)

    def _either(self, mariadb: str, postgresql: str) -> str:
        return mariadb if self._world.is_mariadb else postgresql

    def _take(self, session: Dba, where: str = "true") -> tuple[list[dict[str, Any]], str]:
        """Locked cases, those in hand first, and the list of their ids for IN; a transaction begins."""
        rows = session.sql(
            f"SELECT id FROM dialer_clients WHERE {where} ORDER BY checked DESC, {self._either('rand', 'random')}()"
            f" LIMIT {AT_ONCE}"
        )
        ids = ", ".join(str(row["id"]) for row in rows) or "0"
        session.sql("BEGIN")
        cases = session.sql(f"SELECT {self._columns} FROM dialer_clients WHERE id IN ({ids}) ORDER BY id FOR UPDATE")
        # Also when the commit fails or nobody knows: the judge looks for those that are there first.
        self.taken_away += cases
        return cases, ids

    def _delete(self, session: Dba) -> None:
        _, ids = self._take(session)
        session.sql(f"DELETE FROM dialer_clients WHERE id IN ({ids})")
        session.sql("COMMIT")

    def _replace(self, session: Dba) -> None:
        """Each id goes to somebody else at once."""
        cases, ids = self._take(session)
        if cases:
            if not self._world.is_mariadb:
                session.sql(f"DELETE FROM dialer_clients WHERE id IN ({ids})")
            session.sql(
                f"{self._either('REPLACE', 'INSERT')} INTO dialer_clients"
                " (id, case_name, project_id, phone_number, call_back, call_back_period) VALUES "
                + ", ".join(
                    f"({case['id']}, 'Stranger', '{case['project_id']}', '79{next(self._strangers):06}', true, '0')"
                    for case in cases
                )
            )
        session.sql("COMMIT")

    def _truncate(self, session: Dba) -> None:
        """The table begins anew, its ids too."""
        if self._world.is_mariadb:
            session.sql("LOCK TABLES dialer_clients WRITE")
            self.taken_away += session.sql(f"SELECT {self._columns} FROM dialer_clients")
            session.sql("TRUNCATE dialer_clients")
            session.sql("UNLOCK TABLES")
        else:
            session.sql("BEGIN")
            session.sql("LOCK TABLE dialer_clients")
            self.taken_away += session.sql(f"SELECT {self._columns} FROM dialer_clients")
            session.sql("TRUNCATE dialer_clients RESTART IDENTITY")
            session.sql("COMMIT")

    def _archive(self, session: Dba) -> None:
        _, ids = self._take(session, "id NOT IN (SELECT id FROM dba_archive)")
        chosen = f"FROM dialer_clients WHERE id IN ({ids})"
        session.sql(f"INSERT INTO dba_archive ({self._columns}) SELECT {self._columns} {chosen}")
        session.sql(f"DELETE {chosen}")
        session.sql("COMMIT")

    def _restore(self, session: Dba) -> None:
        """All whose ids are free; now exactly as they were, now as plain rows."""
        if self._dice.random() < 0.5:
            session.sql(self._either("SET @dialer_restoring = true", "SET dialer.restoring = 'on'"))
        session.sql("BEGIN")
        if not self._world.is_mariadb:
            session.sql("LOCK TABLE dialer_clients IN SHARE ROW EXCLUSIVE MODE")
        rows = session.sql("SELECT id FROM dba_archive WHERE id NOT IN (SELECT id FROM dialer_clients)")
        ids = ", ".join(str(row["id"]) for row in rows) or "0"
        chosen = f"FROM dba_archive WHERE id IN ({ids})"
        session.sql(f"INSERT INTO dialer_clients ({self._columns}) SELECT {self._columns} {chosen}")
        if not self._world.is_mariadb:
            # After TRUNCATE, new rows would get the ids of those that came back; MariaDB's counter minds them.
            session.sql("SELECT setval(pg_get_serial_sequence('dialer_clients', 'id'), max(id)) FROM dialer_clients")
        session.sql(f"DELETE {chosen}")
        session.sql("COMMIT")
