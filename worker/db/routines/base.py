"""What the classes of routines share: the database they ask, and what goes into it and comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, TypeVar

from worker.db.database import Database, Row
from worker.model import storable

T = TypeVar("T")

TELL_SECONDS = 1.0
"""For what is told to readers alone: it must not hold up who tells it."""


class Routines:
    """The routines of one subject, over one database.

    Every method may raise what Database.call raises: DatabaseUnavailable and its kinds, StatementTimedOut, and
    SQLAlchemy's DBAPIError where the server refuses what it was told. `timeout_seconds`: the server gives up sooner
    than usual. `now`: the p_now of a routine, see instants.instant.
    """

    def __init__(self, database: Database) -> None:
        self._database = database


def stored_json(value: Any) -> str:
    """JSON that a database takes, whatever bytes the texts in it once were."""
    text = json.dumps(value)
    # Escaped is what is not ASCII or a control character: halves of characters and NUL are among these.
    return json.dumps(_storable(value)) if "\\u" in text else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(key): _storable(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_storable(one) for one in value]
    return value


def sentence(text: str | None) -> str | None:
    """A sentence as a database takes it; None stays None."""
    return None if text is None else storable(text)


def numbers(row: Row) -> dict[str, Any]:
    """A row with floats for what the database keeps as decimal numbers."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def columns(kind: type[Any]) -> str:
    """The columns that a dataclass is made of, for a SELECT."""
    return ", ".join(one.name for one in fields(kind))


def made(kind: type[T], rows: Sequence[Row]) -> list[T]:
    """Rows as dataclasses, whose fields are named like the columns."""
    return [kind(**numbers(row)) for row in rows]
