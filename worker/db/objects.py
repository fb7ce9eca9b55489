"""What stands in the schema beside the tables: routines, views and triggers.

Tables change by migrations. These are made again as a whole, in the order in which they need each other: by the
migration that brings them, and by `dialer migrate` where a database has others than the program's files say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import sql
from worker.errors import Mistake

FUNCTION, PROCEDURE, VIEW, TRIGGER = "function", "procedure", "view", "trigger"

_CREATES = re.compile(r"^\s*CREATE (?:OR REPLACE )?(FUNCTION|PROCEDURE|VIEW|TRIGGER) (\w+)", re.MULTILINE)
_ON_TABLE = re.compile(r"\bON (\w+)")
_CALLS = re.compile(r"\b(dialer_\w+)\(")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class SchemaObject:
    """A routine, a view or a trigger, and the statement that makes it."""

    kind: str
    name: str
    statement: str

    @property
    def table(self) -> str:
        """Of a trigger: the table that it watches."""
        found = _ON_TABLE.search(self.statement, self._named().end())
        assert found is not None, self.name
        return found[1]

    @property
    def definition(self) -> str:
        """The statement from behind the name on."""
        return self.statement[self._named().end() :]

    def calls(self) -> set[str]:
        """Routines of ours that it calls."""
        return set(_CALLS.findall(_COMMENT.sub("", self.definition)))

    def _named(self) -> re.Match[str]:
        found = _CREATES.search(self.statement)
        assert found is not None, self.statement[:80]
        return found


def schema_objects(
    dialect: str, routines: Iterable[str], triggers: Iterable[str], revision: str | None = None
) -> list[SchemaObject]:
    """Routines and views by name, as they were at a revision (None: at head), where this dialect has them; then
    triggers, by their statements. The order stays as it is given."""
    known = set(sql.routine_names(dialect))
    texts = [sql.routine(dialect, name, revision) for name in routines if name in known]
    return [_object(sql.for_server(dialect, text)) for text in (*texts, *triggers)]


def called_by_views(objects: Sequence[SchemaObject]) -> set[str]:
    """The routines that a view calls, by itself or through another routine."""
    by_name = {one.name: one for one in objects}
    found: set[str] = set()
    waiting = [name for one in objects if one.kind == VIEW for name in one.calls()]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += by_name[name].calls()
    return found


def _object(statement: str) -> SchemaObject:
    created = _CREATES.search(statement)
    assert created is not None, statement[:80]
    return SchemaObject(created[1].lower(), created[2], statement)


def missing(objects: Sequence[SchemaObject]) -> Iterator[Mistake]:
    """Say which routines, views and triggers are not there."""
    if objects:
        shown = ", ".join(one.name for one in objects[:5]) + (", …" if len(objects) > 5 else "")
        yield Mistake(
            "the schema",
            f"lacks {len(objects)} of its routines, views and triggers ({shown}), as after a dump without routines",
            "Run `dialer migrate`: it makes them anew.",
        )
