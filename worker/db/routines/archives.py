"""Attempts that leave the ledger for a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from worker.db.database import Row
from worker.db.routines.base import Routines, stored_json
from worker.db.routines.exports import EXPORTS

COLUMNS = EXPORTS["attempts"].columns


class Stay(NamedTuple):
    """Why an attempt stays in the ledger: stays_for and limit_id of dialer_archivable."""

    reason: str
    limit_id: int | None


@dataclass(frozen=True)
class Run:
    """One run. before: attempts that ended before go. file: what it is called in dialer_archives. started_at: see
    Archives.clock; now: the p_now of dialer_archivable."""

    before: datetime
    file: str
    started_at: datetime
    now: datetime | None


@dataclass(frozen=True)
class Portion:
    """Some attempts that were looked at, by id. looked_to: the last one, None: there are no more."""

    looked_to: int | None
    moved: int
    stays: Counter[Stay]


class Archives(Routines):
    """Moves attempts out of the ledger, in portions."""

    def clock(self) -> datetime:
        """The server's own clock, also where calls go by a virtual one."""
        found: datetime = self._database.query("SELECT current_timestamp(6) AS instant")[0]["instant"]
        return found

    def look(self, run: Run, after: int, count: int) -> Portion:
        """What would become of the next attempts, from after an id."""
        return self._portion(self._database.call("dialer_archivable", run.before, after, count, run.now), moved=None)

    def move(self, run: Run, after: int, count: int, keep: Callable[[Sequence[Row]], None]) -> Portion:
        """Move the next attempts, from after an id: `keep` is given the rows (COLUMNS) and returns when they are safe;
        then they are deleted and it is committed.

        `keep` is called again with what it is to keep instead, if the transaction had to begin anew. The rows are
        locked while it works, and if that takes longer than IDLE_SECONDS the server ends the transaction.
        """

        def work(connection: Connection) -> Portion:
            ask = self._database.dialect.call("dialer_archivable", ["before", "after", "count", "now"])
            values = {"before": run.before, "after": after, "count": count, "now": run.now}
            found = [dict(row) for row in connection.execute(text(ask), values).mappings()]
            if ids := [row["attempt_id"] for row in found if row["stays_for"] is None]:
                # Some may be gone by now.
                rows = [dict(row) for row in connection.execute(_LOCKED, {"ids": ids}).mappings()]
                keep(rows)
                delete = self._database.dialect.call("dialer_archive", ["ids", "started_at", "file"])
                told = {
                    "ids": stored_json([row["id"] for row in rows]),
                    "started_at": run.started_at,
                    "file": run.file,
                }
                deleted = int(connection.execute(text(delete), told).scalar_one())
                if deleted != len(rows):
                    raise AssertionError(f"{len(rows)} attempts were locked, and {deleted} deleted")
                return self._portion(found, moved=deleted)
            return self._portion(found, moved=0)

        return self._database.run(work)

    @staticmethod
    def _portion(found: Sequence[Row], moved: int | None) -> Portion:
        stays = Counter(Stay(row["stays_for"], row["limit_id"]) for row in found if row["stays_for"] is not None)
        return Portion(
            looked_to=found[-1]["attempt_id"] if found else None,
            moved=len(found) - stays.total() if moved is None else moved,
            stays=stays,
        )

    def still_there(self, ids: Sequence[int]) -> dict[int, Row]:
        """Those of the attempts that are in the ledger (COLUMNS), by id."""
        if not ids:
            return {}
        rows = self._database.run(
            lambda connection: [dict(row) for row in connection.execute(_THERE, {"ids": list(ids)}).mappings()]
        )
        return {row["id"]: row for row in rows}

    def words(self, limit_id: int) -> str | None:
        """A row of dialer_limits in words; None: it is gone."""
        found: str | None = self._database.query("SELECT dialer_limit_words(:id) AS words", id=limit_id)[0]["words"]
        return found


_SELECT = f"SELECT {', '.join(COLUMNS)} FROM dialer_attempts WHERE id IN :ids ORDER BY id"  # noqa: S608 - names of ours
_THERE = text(_SELECT).bindparams(bindparam("ids", expanding=True))
_LOCKED = text(f"{_SELECT} FOR UPDATE").bindparams(bindparam("ids", expanding=True))
