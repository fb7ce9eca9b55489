"""Routines, views and triggers on PostgreSQL: which there are, whether they are as they should be, who may use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.db.objects import FUNCTION, TRIGGER, VIEW, SchemaObject, called_by_views

_SCRATCH = "dialer_scratch"


def execute(connection: Connection, statement: str) -> None:
    """Execute a statement unchanged: `%`, `:` and `::` mean what they mean in SQL."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def standing(connection: Connection) -> set[tuple[str, str]]:
    """Kind and name of what is in the schema."""
    rows = connection.execute(
        text(
            """
            SELECT 'function' AS kind, p.proname AS name
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = current_schema()
            UNION ALL
            SELECT 'view', c.relname
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind = 'v'
            UNION ALL
            SELECT 'trigger', t.tgname
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND NOT t.tgisinternal
            """
        )
    )
    return {(row.kind, row.name) for row in rows}


def install(connection: Connection, objects: Sequence[SchemaObject]) -> None:
    """Make them, or make them again. A DBA's grants on a routine stay."""
    for one in objects:
        if one.kind == TRIGGER:  # the oldest servers cannot replace one
            execute(connection, f"DROP TRIGGER IF EXISTS {one.name} ON {one.table}")
        execute(connection, one.statement)


def secure(connection: Connection, objects: Sequence[SchemaObject]) -> None:
    """A trigger function works with its owner's rights, and anybody could attach it to a table of their own. So the
    public may call no functions except those that views call: these read with the rights of the user who asks, hence
    only what that user may read anyway. Neither a trigger nor the user whose statement fires it needs the right."""
    readers = called_by_views(objects)
    public = {row.signature: row for row in _functions(connection, objects)}
    shut = [signature for signature, row in public.items() if row.public and row.name not in readers]
    opened = [signature for signature, row in public.items() if not row.public and row.name in readers]
    if shut:
        execute(connection, f"REVOKE EXECUTE ON FUNCTION {', '.join(shut)} FROM PUBLIC")
    if opened:
        execute(connection, f"GRANT EXECUTE ON FUNCTION {', '.join(opened)} TO PUBLIC")


def differing(connection: Connection, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
    """Each is made as a trial and compared with what was there, and everything is rolled back. Trial views and triggers
    stand beside the real ones, so nobody who reads or writes meanwhile has to wait."""
    found = []
    readers = called_by_views(objects)
    for one in objects:
        before = _definitions(connection, one)
        savepoint = connection.begin_nested()
        try:
            same = before == _tried(connection, one, bool(before))
        except DBAPIError:
            savepoint.rollback()
            same = False
        else:
            savepoint.commit()
        rights = one.kind != FUNCTION or all(
            row.public == (one.name in readers) for row in _functions(connection, [one]) if before
        )
        if not (same and rights):
            found.append(one)
    connection.rollback()
    return found


def _tried(connection: Connection, one: SchemaObject, there: bool) -> list[str]:
    """Its definition as it should be."""
    if one.kind == FUNCTION or not there:
        install(connection, [one])
        return _definitions(connection, one)
    if one.kind == VIEW:
        execute(connection, f"CREATE VIEW {_SCRATCH} {one.definition}")
        found = _definitions(connection, SchemaObject(VIEW, _SCRATCH, ""))
        execute(connection, f"DROP VIEW {_SCRATCH}")
        return found
    execute(connection, f"CREATE TABLE {_SCRATCH} (LIKE {one.table})")
    execute(connection, one.statement.replace(f"ON {one.table}", f"ON {_SCRATCH}", 1))
    found = [text.replace(f".{_SCRATCH} ", f".{one.table} ") for text in _definitions(connection, one, _SCRATCH)]
    execute(connection, f"DROP TABLE {_SCRATCH}")
    return found


def _definitions(connection: Connection, one: SchemaObject, table: str | None = None) -> list[str]:
    """Its definition in the server's words; for a function, of all functions with its name. `table`: the table of the
    trigger, if not its own."""
    query = {
        FUNCTION: "SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = current_schema() AND p.proname = :name AND p.prokind = 'f'"
        " ORDER BY p.oid::regprocedure::text",
        VIEW: "SELECT pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relname = :name AND c.relkind = 'v'",
        TRIGGER: "SELECT t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid) FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND t.tgname = :name AND c.relname = :table",
    }[one.kind]
    table = table or (one.table if one.kind == TRIGGER else "")
    return list(connection.execute(text(query), {"name": one.name, "table": table}).scalars())


def _functions(connection: Connection, objects: Sequence[SchemaObject]) -> Sequence[Any]:
    names = [one.name for one in objects if one.kind == FUNCTION]
    return connection.execute(
        text(
            "SELECT p.oid::regprocedure::text AS signature, p.proname AS name,"
            " has_function_privilege('public', p.oid, 'execute') AS public"
            " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = current_schema() AND p.prokind = 'f' AND p.proname = ANY(:names)"
        ),
        {"names": names},
    ).all()
