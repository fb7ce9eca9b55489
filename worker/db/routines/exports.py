"""What people take away in files: cases, attempts and results, all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from worker.db.database import Row
from worker.db.routines.base import Routines
from worker.errors import UnknownProject

AT_ONCE = 2000


class Export(NamedTuple):
    """One kind of export. columns: their names, in order; key: the column that is read in order."""

    columns: tuple[str, ...]
    key: str
    statement: str
    project: str
    """The condition of those of one project, …"""
    since: str
    """… and of those since an instant."""


_CASES = (
    *("id", "project_id", "case_name", "phone_number", "priority", "utc", "allowed_start", "allowed_stop", "call_back"),
    *(
        "call_back_period",
        "deferred_time",
        "deferred_done",
        "region",
        "used",
        "created",
        "number",
        "import_id",
        "fields",
    ),
)
_ATTEMPTS = (
    *("id", "case_id", "project_id", "case_name", "phone_number", "number", "kind", "outcome", "disposition", "detail"),
    *("cause", "trunk", "agent", "begun_at", "ringing_at", "answered_at", "agent_at", "ended_at", "abandoned_at"),
    *("ring_seconds", "wait_seconds", "talk_seconds", "amd_verdict"),
)
_RESULTS = {
    **{name: f"s.{name}" for name in ("id", "project_id", "case_name", "phone_number", "dial_count")},
    **{"outcome": "s.state", "ended_at": "s.ended"},
    **{name: f"c.{name}" for name in ("used", "region", "import_id", "fields")},
}
EXPORTS = {
    "cases": Export(
        _CASES,
        "id",
        f"SELECT {', '.join(_CASES)} FROM dialer_clients WHERE id > :after",  # noqa: S608 - names of ours
        "project_id = :project",
        "inserted_at >= :since",
    ),
    "attempts": Export(
        _ATTEMPTS,
        "id",
        f"SELECT {', '.join(_ATTEMPTS)} FROM dialer_attempts WHERE id > :after",  # noqa: S608
        "project_id = :project",
        "begun_at >= :since",
    ),
    "results": Export(
        tuple(_RESULTS),
        "id",
        f"SELECT {', '.join(f'{value} AS {name}' for name, value in _RESULTS.items())}"  # noqa: S608
        " FROM dialer_stat s LEFT JOIN dialer_clients c ON c.id = s.id AND c.inserted_at = s.case_inserted_at"
        " WHERE s.id > :after",
        "s.project_id = :project",
        "s.ended >= :since",
    ),
}


_FURTHER = (
    "dialer_case_numbers f JOIN dialer_clients c ON c.id = f.case_id AND c.inserted_at = f.case_inserted_at"
    " WHERE f.place > 1"
)


class Exports(Routines):
    """Rows for files."""

    def require(self, project_id: str) -> None:
        """Raises UnknownProject if there is no such project, and nothing is left of one."""
        known = "SELECT 1 FROM dialer_params WHERE project_id = :project"
        if self._database.query(known, project=project_id):
            return
        if all(next(self.rows(what, project_id), None) is None for what in EXPORTS):
            raise UnknownProject(project_id)

    def columns(self, what: str, project_id: str | None = None, since: datetime | None = None) -> tuple[str, ...]:
        """The columns of an export (a key of EXPORTS); of cases also phone_number_2 and so on, as far as there are."""
        columns = EXPORTS[what].columns
        if what != "cases":
            return columns
        conditions, values = _conditions(what, project_id, since)
        statement = f"SELECT max(f.place) AS place FROM {_FURTHER}{conditions}"  # noqa: S608 - names of ours
        last = self._database.query(statement, timeout_seconds=None, **values)[0]["place"] or 1
        after = columns.index("phone_number") + 1
        return (*columns[:after], *(_place(place) for place in range(2, last + 1)), *columns[after:])

    def rows(self, what: str, project_id: str | None = None, since: datetime | None = None) -> Iterator[Row]:
        """All rows of an export (a key of EXPORTS), by id. A case has phone_number_2 and so on where there is one.

        In portions, each in a transaction of its own: whoever takes a million rows slowly must not hold a cursor, and
        with it a snapshot that keeps the server from clearing up behind the calls of that time.
        """
        export = EXPORTS[what]
        conditions, given = _conditions(what, project_id, since)
        values: dict[str, object] = {"after": 0, "count": AT_ONCE, **given}
        statement = export.statement + conditions
        order = export.statement.partition(" WHERE ")[2].partition(" > ")[0]
        statement += f" ORDER BY {order} LIMIT :count"
        while True:
            rows = self._database.query(statement, timeout_seconds=None, **values)
            further = self._further(rows) if what == "cases" and rows else {}
            yield from ({**row, **further[row["id"]]} if row["id"] in further else row for row in rows)
            if len(rows) < AT_ONCE:
                return
            values["after"] = rows[-1][export.key]

    def _further(self, rows: Sequence[Row]) -> dict[int, dict[str, str]]:
        """The further numbers of cases, by id and column."""
        found = self._database.query(
            f"SELECT f.case_id, f.place, f.phone_number FROM {_FURTHER} AND f.case_id BETWEEN :first AND :last",  # noqa: S608
            timeout_seconds=None,
            first=rows[0]["id"],
            last=rows[-1]["id"],
        )
        further: dict[int, dict[str, str]] = {}
        for one in found:
            further.setdefault(one["case_id"], {})[_place(one["place"])] = one["phone_number"]
        return further


def _conditions(what: str, project_id: str | None, since: datetime | None) -> tuple[str, dict[str, object]]:
    export = EXPORTS[what]
    told = ((export.project, "project", project_id), (export.since, "since", since))
    given = [(condition, name, value) for condition, name, value in told if value is not None]
    return "".join(f" AND {condition}" for condition, _, _ in given), {name: value for _, name, value in given}


def _place(place: int) -> str:
    """The column of a case's number, as an import knows it."""
    return f"phone_number_{place}"
