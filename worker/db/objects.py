"""What is in the schema besides the tables: routines, views and triggers.

Tables are changed by migrations. These objects are made again as a whole, each after those it needs: by every
migration, and by `dialer migrate` if those in the database differ from the program's files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import sql
from worker.errors import Mistake

FUNCTION, PROCEDURE, VIEW, TRIGGER = "function", "procedure", "view", "trigger"

_CREATES = re.compile(r"^\s*CREATE (?:OR REPLACE )?(FUNCTION|PROCEDURE|VIEW|TRIGGER) (\w+)", re.MULTILINE)
_ON_TABLE = re.compile(r"\bON (\w+)")
_CALLS = re.compile(r"\b(dialer_\w+)\(")
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(r"\bdialer_\w+")
_EARLY = re.compile(r"\bLANGUAGE sql\b")
_ASIDE = re.compile(r"--[^\n]*|'(?:[^']|'')*'")


@dataclass(frozen=True)
class SchemaObject:
    """A routine, a view or a trigger, and the statement that makes it."""

    kind: str
    name: str
    statement: str

    @property
    def table(self) -> str:
        """For a trigger: the table that it watches."""
        found = _ON_TABLE.search(self.statement, self._named().end())
        assert found is not None, self.name
        return found[1]

    @property
    def definition(self) -> str:
        """The part of the statement after the name."""
        return self.statement[self._named().end() :]

    def calls(self) -> set[str]:
        """Routines of ours that it calls."""
        return set(_CALLS.findall(_COMMENT.sub("", self.definition)))

    def names(self) -> set[str]:
        """All names of ours in the statement, including its own, but not those in comments and string literals."""
        return set(_NAME.findall(_ASIDE.sub("", self.statement)))

    @property
    def binds_late(self) -> bool:
        """May the objects that its body names be made after it?"""
        return self.kind in (FUNCTION, PROCEDURE) and not _EARLY.search(self.statement)

    def _named(self) -> re.Match[str]:
        found = _CREATES.search(self.statement)
        assert found is not None, self.statement[:80]
        return found


def objects_at(library: sql.Library, dialect: str, revision: str | None) -> tuple[SchemaObject, ...]:
    """All objects of a revision (None: before the first one, so nothing), each after those it needs."""
    texts = library.at(dialect, revision).values()
    return in_order_of_need([parsed(one) for text in texts for one in sql.statements(dialect, text)])


def named_ever(library: sql.Library, dialect: str) -> frozenset[tuple[str, str]]:
    """Kind and name of everything that is or was ours, at any revision."""
    objects = (parsed(one) for text in library.ever(dialect) for one in sql.statements(dialect, text))
    return frozenset((one.kind, one.name) for one in objects)


def in_order_of_need(objects: Sequence[SchemaObject]) -> tuple[SchemaObject, ...]:
    """Each after those that it names. If routines name each other in a circle, those come first whose body the server
    only looks at when it runs; a circle without such a routine is a mistake in the files: CycleError."""
    sorted_objects = sorted(objects, key=lambda one: (one.name, one.kind))
    by_key = {(one.kind, one.name): one for one in sorted_objects}
    keys: dict[str, list[tuple[str, str]]] = {}
    for key, one in by_key.items():
        if one.kind != TRIGGER:  # nothing names one
            keys.setdefault(one.name, []).append(key)
    needs = {
        key: [needed for name in sorted(one.names()) for needed in keys.get(name, []) if needed != key]
        for key, one in by_key.items()
    }
    while True:
        try:
            return tuple(by_key[key] for key in TopologicalSorter(needs).static_order())
        except CycleError as error:
            circle = set(error.args[1])
            late = min((key for key in circle if by_key[key].binds_late), default=None)
            if late is None:
                raise
            needs[late] = [key for key in needs[late] if key not in circle]


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


def parsed(statement: str) -> SchemaObject:
    """The object that a statement makes."""
    created = _CREATES.search(statement)
    assert created is not None, statement[:80]
    return SchemaObject(created[1].lower(), created[2], statement)


def missing(objects: Sequence[SchemaObject]) -> Iterator[Mistake]:
    """Log which routines, views and triggers are missing."""
    if objects:
        shown = ", ".join(one.name for one in objects[:5]) + (", …" if len(objects) > 5 else "")
        yield Mistake(
            "the schema",
            f"lacks {len(objects)} of its routines, views and triggers ({shown}), as after a dump without routines",
            "Run `dialer migrate`: it makes them anew.",
        )
