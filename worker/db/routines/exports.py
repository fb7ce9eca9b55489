"""What people take away in files: cases, attempts and results, all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from worker.db.database import Row
from worker.db.routines.base import Routines

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


class Exports(Routines):
    """Rows for files."""

    def rows(self, what: str, project_id: str | None = None, since: datetime | None = None) -> Iterator[Row]:
        """All rows of an export (a key of EXPORTS), by id.

        In portions, each in a transaction of its own: whoever takes a million rows slowly must not hold a cursor, and
        with it a snapshot that keeps the server from clearing up behind the calls of that time.
        """
        export = EXPORTS[what]
        values: dict[str, object] = {"after": 0, "count": AT_ONCE}
        statement = export.statement
        if project_id is not None:
            statement += f" AND {export.project}"
            values["project"] = project_id
        if since is not None:
            statement += f" AND {export.since}"
            values["since"] = since
        order = export.statement.partition(" WHERE ")[2].partition(" > ")[0]
        statement += f" ORDER BY {order} LIMIT :count"
        while True:
            rows = self._database.query(statement, timeout_seconds=None, **values)
            yield from rows
            if len(rows) < AT_ONCE:
                return
            values["after"] = rows[-1][export.key]
