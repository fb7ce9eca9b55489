"""What the classes of routines share: the database they ask, and the conversion of values in and out."""

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
"""The time limit for reports that only readers need: they must not hold up whoever writes them."""


class Routines:
    """The routines of one subject, over one database.

    Every method may raise what Database.call raises: DatabaseUnavailable and its kinds, StatementTimedOut, and
    SQLAlchemy's DBAPIError where the server refuses a statement. `timeout_seconds`: the server gives up sooner than
    usual. `now`: the p_now of a routine, see instants.instant.
    """

    def __init__(self, database: Database) -> None:
        self._database = database


def stored_json(value: Any) -> str:
    """JSON that a database accepts, whatever bytes its texts were made from."""
    text = json.dumps(value)
    # json escapes non-ASCII and control characters; half surrogate pairs and NUL are among them.
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
    """A sentence in a form that a database accepts; None stays None."""
    return None if text is None else storable(text)


def numbers(row: Row) -> dict[str, Any]:
    """A row with its decimal numbers as floats."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def columns(kind: type[Any]) -> str:
    """The columns for a dataclass's fields, for a SELECT."""
    return ", ".join(one.name for one in fields(kind))


def made(kind: type[T], rows: Sequence[Row]) -> list[T]:
    """Rows as dataclasses whose fields are named like the columns."""
    return [kind(**numbers(row)) for row in rows]
