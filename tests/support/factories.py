"""Rows that are valid as they stand: a test names only the columns that it is about.

Written through SQLAlchemy's tables, so that names are quoted and new ids come back in whatever dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, column, insert, table

from worker.db import Database

PROJECT = "p"

_metadata = MetaData()


def _table(name: str, columns: Sequence[str]) -> Table:
    return Table(
        name,
        _metadata,
        Column("id", BigInteger, primary_key=True),
        *(Column(one) for one in columns),
    )


_CLIENTS = _table(
    "dialer_clients",
    [
        "case_name",
        "project_id",
        "phone_number",
        "priority",
        "utc",
        "used",
        "call_back",
        "allowed_start",
        "allowed_stop",
        "checked",
        "call_back_period",
        "deferred_time",
        "deferred_done",
        "created",
        "deferred_kind",
        "recall",
        "recall_period",
    ],
)
_PARAMS = _table(
    "dialer_params",
    [
        "project_id",
        "lines",
        "dial_time",
        "case_limit",
        "sort",
        "type",
        "exten",
        "context",
        "queue",
        "zone",
        "asterisk",
        "trunk",
        "caller_id",
        "abandon_seconds",
        "abandon_target",
        "abandon_hours",
        "abandon_days",
        "abandon_action",
        "calls_per_agent",
        "predictive_agents",
        "dial_ratio",
        "amd",
        "machine_action",
        "machine_period",
        "priority",
        "call_time",
    ],
)
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
    return _insert(db, _CLIENTS, case_values(**columns))


def add_cases(db: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many cases in one statement; every row has to name the same columns."""
    values = [case_values(**row) for row in rows]
    if values:
        db.run(lambda connection: connection.execute(insert(_CLIENTS).values(values)))


def add_project(db: Database, project_id: str = PROJECT, **columns: Any) -> str:
    """Insert a project that needs no agent, with nothing asked of it yet; its project_id."""
    values = {
        "project_id": project_id,
        "type": "autoinforming",
        "exten": "100",
        "context": "autoinforming",
        **columns,
    }
    _insert(db, _PARAMS, values)
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


def _insert(db: Database, into: Table, values: dict[str, Any]) -> int:
    def work(connection: Any) -> int:
        return int(connection.execute(insert(into).values(values)).inserted_primary_key[0])

    return db.run(work)
