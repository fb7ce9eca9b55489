"""The little that tests of SQL cannot say in words both dialects understand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, text

from tests.waiting import wait_for
from worker.config import DatabaseSettings, load
from worker.db import Database
from worker.db.database import Row
from worker.db.postgresql import Wakeups

# Everything but dialer_outcomes and dialer_settings, which migrations fill.
TABLES = (
    "dialer_clients",
    "dialer_stat",
    "dialer_claims",
    "dialer_live",
    "dialer_attempts",
    "dialer_agents",
    "dialer_params",
    "dialer_projects",
    "dialer_trunks",
    "dialer_asterisks",
    "dialer_workers",
)


class Dialect(Protocol):
    """What one kind of server does its own way, for tests."""

    name: str

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

    def listen(self, db: Database) -> Any:
        """A context: `heard()` gives the wake-ups since, one entry each."""


class PostgreSQL:
    """PostgreSQL 12 and later."""

    name = "postgresql"

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

    @contextmanager
    def listen(self, db: Database) -> Iterator[_Ear]:
        wakeups = Wakeups(db.settings)
        try:
            yield _Ear(db, wakeups)
        finally:
            wakeups.close()


class _Ear:
    """Hears the wake-ups of one LISTEN."""

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


DIALECTS: dict[str, Dialect] = {"postgresql": PostgreSQL()}


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


def clean(db: Database, tables: Sequence[str] = TABLES) -> None:
    """Empty the tables; the zone of the server is UTC and time is what the tests say."""

    def work(connection: Connection) -> None:
        for name in tables:
            connection.execute(text(f"DELETE FROM {name}"))
        for setting, value in {"server_zone": "UTC", "virtual_clock": "true"}.items():
            connection.execute(
                text("UPDATE dialer_settings SET value = :value WHERE name = :name AND value <> :value"),
                {"name": setting, "value": value},
            )

    db.run(work)
