"""Rows that are valid as they stand: a test names only the columns that it is about.

Written through SQLAlchemy's tables, so that names are quoted and new ids come back in whatever dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, column, insert, table

from worker.db import Database

PROJECT = "p"

_numbers = iter(range(5_000_000, 9_000_000))


def case_values(**columns: Any) -> dict[str, Any]:
    """The columns of a valid case of project 'p': open all day, no redials, a number of its own."""
    return {
        "case_name": "somebody",
        "project_id": PROJECT,
        "phone_number": f"+4930{next(_numbers)}",
        "utc": "Z",
        **columns,
    }


def add_case(db: Database, **columns: Any) -> int:
    """Insert a case; its id."""
    return _insert(db, "dialer_clients", case_values(**columns))


def add_cases(db: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many cases in one statement; every row has to name the same columns."""
    values = [case_values(**row) for row in rows]
    if values:
        db.run(lambda connection: connection.execute(insert(_table("dialer_clients", values[0])).values(values)))


def add_project(db: Database, project_id: str = PROJECT, **columns: Any) -> str:
    """Insert a project that needs no agent, with nothing asked of it yet; its project_id."""
    values = {
        "project_id": project_id,
        "type": "autoinforming",
        "exten": "100",
        "context": "autoinforming",
        **columns,
    }
    _insert(db, "dialer_params", values)
    return project_id


def add_trunk(db: Database, trunk: str = "default", **columns: Any) -> str:
    """Insert a trunk with plenty of lines and calls per second; its name."""
    values = {
        "trunk": trunk,
        "asterisk": "default",
        "dial_template": "PJSIP/{number}@carrier",
        "max_lines": 1000,
        "calls_per_second": 10_000,
        **columns,
    }
    light = table("dialer_trunks", *(column(name) for name in values))
    db.run(lambda connection: connection.execute(insert(light).values(values)))
    return trunk


def add_attempt(db: Database, attempt_id: int, begun_at: datetime, outcome: str = "NOANSWER", **columns: Any) -> None:
    """Write an attempt into the ledger that began then and took ten seconds, as if it had been made."""
    values = {
        "id": attempt_id,
        "case_id": 0,
        "case_name": "somebody",
        "project_id": PROJECT,
        "case_inserted_at": begun_at,
        "asterisk": "default",
        "trunk": "default",
        "worker_id": 0,
        "epoch": 0,
        "type": "progressive",
        "queue": PROJECT,
        "kind": "fresh",
        "redials_done": 0,
        "brought_back": 0,
        "channel_id": f"channel-{attempt_id}",
        "action_id": f"action-{attempt_id}",
        "channel": "PJSIP/1@carrier",
        "dial_seconds": 20,
        "abandon_seconds": 2,
        "state": "ended",
        "outcome": outcome,
        "effect": "used",
        "begun_at": begun_at,
        "ended_at": begun_at + timedelta(seconds=10),
        **columns,
    }
    values.setdefault("number", values["phone_number"])
    light = table("dialer_attempts", *(column(name) for name in values))
    db.run(lambda connection: connection.execute(insert(light).values(values)))


def add_retry(db: Database, **columns: Any) -> int:
    """Insert a row of dialer_retries; its id."""
    return _insert(db, "dialer_retries", columns)


def _insert(db: Database, into: str, values: dict[str, Any]) -> int:
    def work(connection: Any) -> int:
        return int(connection.execute(insert(_table(into, values)).values(values)).inserted_primary_key[0])

    return db.run(work)


def _table(name: str, columns: Iterable[str]) -> Table:
    others: list[Column[Any]] = [Column(one) for one in columns if one != "id"]
    return Table(name, MetaData(), Column("id", BigInteger, primary_key=True), *others)
