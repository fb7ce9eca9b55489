"""Routines, views and triggers on MariaDB: which ones there are, and whether they are as they should be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from worker.db.objects import FUNCTION, PROCEDURE, TRIGGER, VIEW, SchemaObject

SCRATCH = "dialer_scratch"

_ACCESS = re.compile(r"\b(NO SQL|READS SQL DATA|MODIFIES SQL DATA|CONTAINS SQL)\b")
# What stands between a routine's parameters and its body; the server keeps it in its own words.
_HEAD = re.compile(
    r"(?:\s+|--[^\n]*\n|RETURNS\s+\w+(?:\([^)]*\))?(?:\s+CHARACTER SET \w+ COLLATE \w+)?"
    r"|(?:NOT DETERMINISTIC|DETERMINISTIC|NO SQL|READS SQL DATA|MODIFIES SQL DATA|CONTAINS SQL)\b)*"
)


def execute(connection: Connection, statement: str) -> None:
    """Execute a statement unchanged: `%` and `:` mean what they mean in SQL."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def standing(connection: Connection) -> dict[tuple[str, str], str]:
    """Kind and name of what is in the schema, and the user whose rights it works with."""
    rows = connection.execute(
        text(
            "SELECT lower(routine_type) AS kind, routine_name AS name, definer FROM information_schema.routines"
            " WHERE routine_schema = database()"
            " UNION ALL SELECT 'view', table_name, definer FROM information_schema.views"
            " WHERE table_schema = database()"
            " UNION ALL SELECT 'trigger', trigger_name, definer FROM information_schema.triggers"
            " WHERE trigger_schema = database()"
        )
    )
    return {(row.kind, row.name): row.definer for row in rows}


@contextmanager
def replacing(
    connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
) -> Iterator[None]:
    """After the block replace each in place, then drop those of `ours` that are gone.

    On MariaDB a table can be changed under what uses it, CREATE OR REPLACE can change anything, and grants stay; after
    a DROP of a routine they would be lost. As a migration cannot be rolled back here, the triggers are never missing:
    when it stops half way, rows are still checked, or refused.
    """
    yield
    install(connection, objects)
    wanted = {(one.kind, one.name) for one in objects}
    there = standing(connection).keys()
    for kind in (TRIGGER, VIEW, PROCEDURE, FUNCTION):
        for name in sorted(name for known, name in (there & set(ours)) - wanted if known == kind):
            execute(connection, f"DROP {kind.upper()} IF EXISTS {name}")


def install(connection: Connection, objects: Sequence[SchemaObject]) -> None:
    """Make them, or make them again, with the rights of this session's user.

    A restore that stopped half way leaves empty MyISAM tables, which the dump put in place of views: they are removed.
    """
    stand_ins = connection.execute(
        text(
            "SELECT table_name AS name FROM information_schema.tables"
            " WHERE table_schema = database() AND engine = 'MyISAM' AND table_rows = 0"
        )
    )
    empty = {row.name for row in stand_ins}
    followers = _followers(connection)
    for one in objects:
        if one.kind == VIEW and one.name in empty:
            execute(connection, f"DROP TABLE {one.name}")
        execute(connection, _before(one, followers[one.name]) if one.name in followers else one.statement)


def _followers(connection: Connection) -> dict[str, str]:
    """For each trigger that stands before another one of its table and event: that one's name."""
    rows = connection.execute(
        text(
            "SELECT trigger_name AS name, event_object_table AS on_table, action_timing AS timing,"
            " event_manipulation AS event FROM information_schema.triggers WHERE trigger_schema = database()"
            " ORDER BY BINARY event_object_table, action_timing, event_manipulation, action_order"
        )
    ).all()
    return {one.name: later.name for one, later in pairwise(rows) if one[1:] == later[1:]}


def _before(one: SchemaObject, follower: str) -> str:
    """The statement that makes a trigger again before the one that it stands before now: made anew it would come last,
    and what a DBA's trigger writes behind ours would be checked, or not, after a migration alone."""
    quoted = follower.replace("`", "``")
    return one.statement.replace("FOR EACH ROW", f"FOR EACH ROW PRECEDES `{quoted}`", 1)


@dataclass(frozen=True)
class _Session:
    """The session settings that a routine, view or trigger keeps from the session that makes it."""

    definer: str
    client: str
    collation: str
    sql_mode: str
    database_collation: str

    @classmethod
    def of(cls, connection: Connection) -> _Session:
        row = connection.execute(
            text(
                "SELECT current_user() AS definer, @@character_set_client AS client,"
                " @@collation_connection AS collation, @@sql_mode AS sql_mode,"
                " (SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = database())"
                " AS database_collation"
            )
        ).one()
        return cls.kept(row)

    @classmethod
    def kept(cls, row: Row[Any]) -> _Session:
        """That of a row with these columns."""
        return cls(row.definer, row.client, row.collation, row.sql_mode, row.database_collation)


def differing(connection: Connection, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
    """Routines and triggers are compared with the catalogue, where the server keeps them word for word. It rewrites
    views in its own words, so trial copies of them are made beside the real ones and compared."""
    session = _Session.of(connection)
    catalogue = _Catalogue.of(connection)
    try:
        return [one for one in objects if not _as_it_should_be(connection, one, session, catalogue)]
    finally:
        connection.rollback()
        execute(connection, f"DROP VIEW IF EXISTS {SCRATCH}")


@dataclass(frozen=True)
class _Catalogue:
    """What the server says of routines, by kind and name, and of triggers, by name. It looks all over, whichever
    is asked for."""

    routines: Mapping[tuple[str, str], Row[Any]]
    triggers: Mapping[str, Row[Any]]

    @classmethod
    def of(cls, connection: Connection) -> _Catalogue:
        routines = connection.execute(
            text(
                "SELECT routine_name AS name, lower(routine_type) AS kind, is_deterministic = 'YES' AS determined,"
                " sql_data_access AS access, definer, character_set_client AS client,"
                " collation_connection AS collation, sql_mode, database_collation"
                " FROM information_schema.routines WHERE routine_schema = database()"
            )
        )
        triggers = connection.execute(
            text(
                "SELECT trigger_name AS name, definer, character_set_client AS client,"
                " collation_connection AS collation, sql_mode, database_collation"
                " FROM information_schema.triggers WHERE trigger_schema = database()"
            )
        )
        return cls({(row.kind, row.name): row for row in routines}, {row.name: row for row in triggers})


def _as_it_should_be(connection: Connection, one: SchemaObject, session: _Session, catalogue: _Catalogue) -> bool:
    if one.kind == VIEW:
        return _view(connection, one.name) == _tried(connection, one)
    if one.kind == TRIGGER:
        return _trigger(connection, one, session, catalogue.triggers.get(one.name))
    return _routine(connection, one, session, catalogue.routines.get((one.kind, one.name)))


def _routine(connection: Connection, one: SchemaObject, session: _Session, row: Row[Any] | None) -> bool:
    if row is None or _Session.kept(row) != session:
        return False
    parameters, rest = _parted(one.definition)
    head = _HEAD.match(rest)
    assert head is not None
    access = _ACCESS.search(head[0])
    shown = _words(connection.exec_driver_sql(f"SHOW CREATE {one.kind} {one.name}").one()[2])
    return (
        _words(f"`{one.name}`{parameters}") in shown
        and shown.endswith(_words(rest[head.end() :]))
        and bool(row.determined) == ("DETERMINISTIC" in head[0])
        and row.access == (access[1] if access else "CONTAINS SQL")
    )


def _trigger(connection: Connection, one: SchemaObject, session: _Session, row: Row[Any] | None) -> bool:
    if row is None or _Session.kept(row) != session:
        return False
    shown = _words(connection.exec_driver_sql(f"SHOW CREATE TRIGGER {one.name}").one()[2])
    return shown.endswith(_words(f"{one.name} {one.definition}"))


def _words(text: object) -> str:
    """Without regard to blanks and line ends: the server drops some."""
    return "".join(str(text).split())


def _view(connection: Connection, name: str) -> tuple[object, ...] | None:
    row = connection.execute(
        text(
            "SELECT view_definition, definer, security_type, character_set_client, collation_connection"
            " FROM information_schema.views WHERE table_schema = database() AND table_name = :name"
        ),
        {"name": name},
    ).one_or_none()
    return None if row is None else tuple(row)


def _tried(connection: Connection, one: SchemaObject) -> tuple[object, ...]:
    """The view as it should be."""
    try:
        execute(connection, f"CREATE OR REPLACE VIEW {SCRATCH} {one.definition}")
    except DBAPIError:  # what it reads is not as it should be either
        return ()
    found = _view(connection, SCRATCH)
    assert found is not None
    return found


def _parted(definition: str) -> tuple[str, str]:
    """The parameters of a routine with their parentheses, and what follows them."""
    depth = 0
    start = definition.index("(")
    for index in range(start, len(definition)):
        depth += {"(": 1, ")": -1}.get(definition[index], 0)
        if not depth:
            return definition[start : index + 1], definition[index + 1 :]
    raise AssertionError(definition[:80])
