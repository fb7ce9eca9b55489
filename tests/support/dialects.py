"""The little that tests of SQL cannot say in words both dialects understand."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection, text

from tests.support.containers import MARIADB_VERSIONS, POSTGRES_VERSIONS
from tests.support.waiting import wait_for
from worker.config import DatabaseSettings, load
from worker.db import Database
from worker.db.database import Row
from worker.db.dialect import Wakeups
from worker.db.migration import VERSION_TABLE

NOT_THE_TESTS = {
    VERSION_TABLE,
    "dialer_countries",
    "dialer_dnc_lengths",
    "dialer_holidays",
    "dialer_ownerships",
    "dialer_number_ranges",
    "dialer_outcomes",
    "dialer_prefixes",
    "dialer_screening",
    "dialer_servers",
    "dialer_settings",
    "dialer_wakeups",
}
"""The tables that no test empties: migrations fill them, or all sessions share them."""


class Dialect(Protocol):
    """What one kind of server does its own way, for tests."""

    name: str
    version: str
    """Of the server, as its image is called: 10.11."""
    lines: str
    """How dialer_params.lines is written; a reserved word of MariaDB's."""
    make_schema: str
    """The statement that makes the schema `nc`; on MariaDB there is nothing to make."""
    in_schema: str
    """What stands before a name in it while no session works in it."""
    analyze: str
    """The statement that gathers statistics."""
    reads_one_case: str
    """Stands in a plan that looks a case up by its id."""

    def settings(self, url: str) -> DatabaseSettings:
        """The settings of a database whose schema is called `nc`."""

    def set_now(self, connection: Connection, instant: datetime) -> None:
        """dialer_now() is `instant`, for this session (in this transaction at least)."""

    def waiting_sessions(self, db: Database) -> int:
        """How many sessions wait for a lock."""

    def plan(self, connection: Connection, statement: str, values: dict[str, Any]) -> str:
        """How the server would run a statement, as text."""

    def catalog(self, db: Database) -> dict[str, str]:
        """Every object of the dialer's schema and its definition."""

    def call(self, routine: str, *arguments: object) -> str:
        """The statement that calls a routine, its arguments written in."""

    def zones(self, db: Database) -> set[str]:
        """Names of the zones that the server knows; those of Debian's tzdata-legacy are not on every one."""

    def unchecked(self, db: Database, table: str) -> AbstractContextManager[None]:
        """Rows of `table` are written as they come within the block: its BEFORE triggers are away."""

    def drop_routine(self, name: str) -> str:
        """The statement that drops a routine of which nothing else is made."""

    def drop_trigger(self, name: str, table: str) -> str:
        """The statement that drops a trigger."""

    broken_routine: str
    """The statement that makes dialer_wake another one."""
    other_trigger: str
    """The statement that makes dialer_clients_before_update another one."""

    def write_promise(self, connection: Connection, case_id: int, local: str, offset: str) -> None:
        """A DBA whose session is at `offset` ('+03:00') promises a callback at `local`, by the clock there."""


class PostgreSQL:
    """PostgreSQL 12 and later."""

    name = "postgresql"
    lines = "lines"
    make_schema = "CREATE SCHEMA nc"
    in_schema = "nc."
    analyze = "ANALYZE"
    broken_routine = (
        "CREATE OR REPLACE FUNCTION dialer_wake(p_project varchar) RETURNS void LANGUAGE sql"
        " SET search_path FROM CURRENT AS 'SELECT'"
    )
    other_trigger = (
        "CREATE TRIGGER dialer_clients_before_update BEFORE UPDATE ON dialer_clients"
        " FOR EACH ROW EXECUTE FUNCTION dialer_clients_before_update()"
    )
    reads_one_case = "Index Scan using dialer_clients_pkey"

    def __init__(self, version: str = POSTGRES_VERSIONS[0]) -> None:
        self.version = version

    def settings(self, url: str) -> DatabaseSettings:
        return load(None, {"DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": "nc"}).database

    def set_now(self, connection: Connection, instant: datetime) -> None:
        connection.execute(text("SELECT set_config('dialer.now', :now, true)"), {"now": instant.isoformat()})

    def waiting_sessions(self, db: Database) -> int:
        rows = db.query(
            "SELECT count(*) AS waiting FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(rows[0]["waiting"])

    def plan(self, connection: Connection, statement: str, values: dict[str, Any]) -> str:
        return "\n".join(row[0] for row in connection.execute(text("EXPLAIN " + statement), values))

    def catalog(self, db: Database) -> dict[str, str]:
        rows = db.query(
            """
            SELECT 'routine ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
                pg_get_functiondef(p.oid) AS text
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = current_schema()
            UNION ALL
            SELECT 'view ' || viewname, definition FROM pg_views WHERE schemaname = current_schema()
            UNION ALL
            SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
            UNION ALL
            SELECT 'trigger ' || t.tgname, pg_get_triggerdef(t.oid)
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
            WHERE NOT t.tgisinternal
            UNION ALL
            SELECT 'constraint ' || c.conrelid::regclass || '.' || c.conname, pg_get_constraintdef(c.oid)
            FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace AND n.nspname = current_schema()
            UNION ALL
            SELECT 'column ' || table_name || '.' || column_name,
                concat_ws(' ', ordinal_position, data_type, numeric_precision, numeric_scale, is_nullable,
                    column_default, generation_expression, collation_name)
            FROM information_schema.columns WHERE table_schema = current_schema()
            UNION ALL
            SELECT 'options ' || c.relname, concat_ws(' ', c.relkind, array_to_string(c.reloptions, ','),
                obj_description(c.oid, 'pg_class'))
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
            UNION ALL
            SELECT 'comment ' || c.relname || '.' || a.attname, col_description(c.oid, a.attnum)
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
            WHERE a.attnum > 0 AND col_description(c.oid, a.attnum) IS NOT NULL
            """
        )
        return {row["name"]: row["text"] for row in rows}

    def call(self, routine: str, *arguments: object) -> str:
        return f"SELECT * FROM {routine}({', '.join(map(_literal, arguments))})"

    def zones(self, db: Database) -> set[str]:
        return {row["name"] for row in db.query("SELECT name FROM pg_timezone_names")}

    @contextmanager
    def unchecked(self, db: Database, table: str) -> Iterator[None]:
        execute(db, f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield
        finally:
            execute(db, f"ALTER TABLE {table} ENABLE TRIGGER USER")

    def drop_routine(self, name: str) -> str:
        return f"DROP FUNCTION {name}"

    def drop_trigger(self, name: str, table: str) -> str:
        return f"DROP TRIGGER {name} ON {table}"

    def write_promise(self, connection: Connection, case_id: int, local: str, offset: str) -> None:
        connection.exec_driver_sql(
            f"UPDATE dialer_clients SET deferred_time = '{local}{offset}' WHERE id = {int(case_id)}"
        )


class MariaDB:
    """MariaDB 10.3 and later."""

    name = "mariadb"
    lines = "`lines`"
    make_schema = "DO 0"
    in_schema = ""
    analyze = "ANALYZE TABLE dialer_clients"
    broken_routine = "CREATE OR REPLACE PROCEDURE dialer_wake(p_project varchar(400)) BEGIN END"
    other_trigger = (
        "CREATE TRIGGER dialer_clients_before_update BEFORE UPDATE ON dialer_clients FOR EACH ROW SET NEW.used = 1"
    )
    reads_one_case = "table=c type=const"

    def __init__(self, version: str = MARIADB_VERSIONS[0]) -> None:
        self.version = version

    def settings(self, url: str) -> DatabaseSettings:
        return load(None, {"DIALER_DATABASE_URL": url}).database

    def set_now(self, connection: Connection, instant: datetime) -> None:
        connection.execute(text("SET @dialer_now = :now"), {"now": instant})

    def waiting_sessions(self, db: Database) -> int:
        # Of the whole server; information_schema.innodb_trx shows what it showed before to who asks too often.
        return int(db.query("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")[0]["Value"])

    def plan(self, connection: Connection, statement: str, values: dict[str, Any]) -> str:
        found = connection.execute(text("EXPLAIN " + statement), values).mappings()
        return "\n".join(" ".join(f"{name}={value}" for name, value in row.items()) for row in found)

    def catalog(self, db: Database) -> dict[str, str]:
        found: dict[str, str] = {}

        def add(kind: str, name: str, definition: object) -> None:
            # Two databases are compared; one of them may have been filled and emptied.
            text = re.sub(r" AUTO_INCREMENT=\d+", "", str(definition)).replace(f"`{db.schema}`.", "")
            found[f"{kind} {name}"] = text

        for row in db.query(
            "SELECT table_name AS name, table_type AS type FROM information_schema.tables"
            # From 11.2 on those of the session are there, too.
            " WHERE table_schema = database() AND table_type <> 'TEMPORARY'"
        ):
            kind = "view" if row["type"] == "VIEW" else "table"
            shown = db.query(f"SHOW CREATE {kind} `{row['name']}`")[0]
            add(kind, row["name"], next(value for name, value in shown.items() if name.startswith("Create ")))
        for row in db.query(
            "SELECT routine_name AS name, routine_type AS type FROM information_schema.routines"
            " WHERE routine_schema = database()"
        ):
            shown = db.query(f"SHOW CREATE {row['type']} `{row['name']}`")[0]
            add("routine", row["name"], [value for name, value in shown.items() if name != "Database Collation"])
        for row in db.query(
            "SELECT trigger_name AS name, event_manipulation AS event, action_timing AS timing,"
            " event_object_table AS target, action_statement AS body FROM information_schema.triggers"
            " WHERE trigger_schema = database()"
        ):
            add("trigger", row["name"], (row["timing"], row["event"], row["target"], row["body"]))
        for row in db.query(
            "SELECT table_name AS t, column_name AS c, column_type AS type, ordinal_position AS n"
            " FROM information_schema.columns WHERE table_schema = database() AND table_name NOT IN ("
            " SELECT table_name FROM information_schema.tables WHERE table_type = 'TEMPORARY')"
        ):
            add("column", f"{row['t']}.{row['c']}", (row["type"], row["n"]))
        return found

    def call(self, routine: str, *arguments: object) -> str:
        return f"CALL {routine}({', '.join(map(_literal, arguments))})"

    def zones(self, db: Database) -> set[str]:
        return {row["name"] for row in db.query("SELECT name FROM mysql.time_zone_name")}

    @contextmanager
    def unchecked(self, db: Database, table: str) -> Iterator[None]:
        names = [f"{table}_before_{event}" for event in ("insert", "update")]
        made = [db.query(f"SHOW CREATE TRIGGER {name}")[0]["SQL Original Statement"] for name in names]
        for name in names:
            execute(db, f"DROP TRIGGER {name}")
        try:
            yield
        finally:
            for statement in made:
                with db.transaction() as connection:
                    connection.execution_options(no_parameters=True).exec_driver_sql(statement)

    def drop_routine(self, name: str) -> str:
        return f"DROP PROCEDURE {name}"

    def drop_trigger(self, name: str, table: str) -> str:
        return f"DROP TRIGGER {name}"

    def write_promise(self, connection: Connection, case_id: int, local: str, offset: str) -> None:
        connection.exec_driver_sql(f"SET time_zone = '{offset}'")
        try:
            connection.exec_driver_sql(f"UPDATE dialer_clients SET deferred_time = '{local}' WHERE id = {int(case_id)}")
        finally:
            connection.exec_driver_sql("SET time_zone = '+00:00'")


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).replace(tzinfo=None)}'"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


@contextmanager
def listen(db: Database) -> Iterator[Ear]:
    """`heard()` gives the wake-ups since, one entry each."""
    wakeups = db.wakeups()
    try:
        yield Ear(db, wakeups)
    finally:
        wakeups.close()


class Ear:
    """Hears the wake-ups of one listener."""

    def __init__(self, db: Database, wakeups: Wakeups) -> None:
        self._db = db
        self._wakeups = wakeups

    def heard(self) -> list[str]:
        """What has been committed since the last time: all that comes before a wake-up of our own."""
        last = secrets.token_hex(8)
        self._db.call("dialer_wake", last)
        found: list[str] = []
        for project in self._wakeups.wait(10):
            if project == last:
                return found
            found.append(project)
        raise TimeoutError(f"the wake-up {last} did not come; only {found}")


DIALECTS: dict[str, Dialect] = {"postgresql": PostgreSQL(), "mariadb": MariaDB()}

SERVERS: dict[str, Dialect] = {
    **DIALECTS,
    **{f"postgresql-{version}": PostgreSQL(version) for version in POSTGRES_VERSIONS[1:]},
    **{f"mariadb-{version}": MariaDB(version) for version in MARIADB_VERSIONS[1:]},
}
"""The servers that tests run on: the oldest ones, named as their dialect, and those of `make test-full`."""


def servers(*dialects: str) -> list[pytest.ParameterSet]:
    """Parameters of a test that runs on all servers of these dialects, or of both."""
    return [
        pytest.param(name, marks=[pytest.mark.full] if name not in DIALECTS else [])
        for name, dialect in SERVERS.items()
        if dialect.name in (dialects or DIALECTS)
    ]


_columns: dict[tuple[str, str], str] = {}


def rows_of(db: Database, table: str, condition: str = "", **values: Any) -> list[Row]:
    """Rows of a table with every column, those too that `SELECT *` leaves out (MariaDB's INVISIBLE ones)."""
    key = (db.dialect.name, table)
    if key not in _columns:
        found = db.query(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_name = :table"
            " AND table_schema = :schema ORDER BY ordinal_position",
            table=table,
            schema=db.schema,
        )
        quote = "`" if db.dialect.name == "mariadb" else '"'
        _columns[key] = ", ".join(f"{quote}{row['name']}{quote}" for row in found)
    return db.query(f"SELECT {_columns[key]} FROM {table} {condition}", **values)


def query_at(db: Database, dialect: Dialect, instant: datetime, statement: str, **values: Any) -> list[Row]:
    """Read from a view as it will be at an instant."""

    def work(connection: Connection) -> list[Row]:
        dialect.set_now(connection, instant)
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    return db.run(work)


def execute(db: Database, statement: str, **values: Any) -> int:
    """One statement that writes, in a transaction of its own; how many rows it changed."""
    return db.run(lambda connection: connection.execute(text(statement), values).rowcount)


def wait_for_waiting(db: Database, dialect: Dialect, count: int = 1) -> None:
    """Until that many sessions wait for a lock."""
    wait_for(lambda: dialect.waiting_sessions(db) >= count, 10, f"{count} sessions to wait for a lock")


def tables(db: Database) -> list[str]:
    """The tables that hold what people and the dialer write."""
    found = db.query(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = :schema AND table_type = 'BASE TABLE' AND table_name LIKE 'dialer%'",
        schema=db.schema,
    )
    return sorted({row["name"] for row in found} - NOT_THE_TESTS)


def clean(db: Database, *names: str) -> None:
    """Empty the tables, or those named alone; the zone of the server is UTC and time is what the tests say."""
    names = names or tuple(tables(db))

    def work(connection: Connection) -> None:
        full = ", ".join(f"EXISTS (SELECT 1 FROM {name}) AS {name}" for name in names)
        for name, is_full in connection.execute(text(f"SELECT {full}")).mappings().one().items():
            if is_full:
                connection.execute(text(f"DELETE FROM {name}"))
        connection.execute(text("UPDATE dialer_screening SET looked_to = 0, attempts_to = 0, pauses_to = 0"))
        for setting, value in {"server_zone": "UTC", "virtual_clock": "true", "country": ""}.items():
            connection.execute(
                text("UPDATE dialer_settings SET value = :value WHERE name = :name AND value <> :value"),
                {"name": setting, "value": value},
            )

    db.run(work)
