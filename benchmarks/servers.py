"""A migrated database on the oldest supported server, with durable settings, for one benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

from alembic import command
from tests.containers import PostgresContainer
from worker.config import DatabaseSettings, load
from worker.db.migration import config

SCHEMA = "nc"


class Bench:
    """One connection that does what a DBA and a worker would."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        plain = settings.url().set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(
            plain, autocommit=True, options=f"-c search_path={SCHEMA},pg_temp -c timezone=UTC"
        )

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; its rows."""
        cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def virtual_clock(self) -> None:
        """Let claims believe the instant that they are given."""
        self.sql("UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")

    def own_asterisk(self) -> tuple[int, int]:
        """Register a worker that owns the Asterisk 'default' for an hour: worker id and epoch."""
        worker = self.sql("SELECT dialer_worker_start('bench', 3600)")[0][0]
        epoch = self.sql("SELECT dialer_asterisk_own(%s, 'default', 3600)", worker)[0][0]
        self.sql("SELECT dialer_trunk_ensure('default', 'PJSIP/{number}@carrier')")
        return worker, epoch

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()


def environment(url: str) -> dict[str, str]:
    """Settings of a dialer on this database, as environment variables; the AMI is to be added."""
    return {
        "DIALER_DATABASE_URL": make_url(url).render_as_string(hide_password=False),
        "DIALER_DATABASE_SCHEME": SCHEMA,
        "DIALER_AMI_IP": "127.0.0.1",
        "DIALER_AMI_USERNAME": "dialer",
        "DIALER_AMI_PASSWORD": "bench",
    }


@contextmanager
def bench_server() -> Iterator[str]:
    """The URL of a migrated database."""
    with PostgresContainer(durable=True) as server:
        url = server.databases().create()
        command.upgrade(config(load(None, environment(url)).database), "head")
        yield url


@contextmanager
def bench_database() -> Iterator[Bench]:
    """A connection to a migrated database."""
    with bench_server() as url:
        bench = Bench(load(None, environment(url)).database)
        try:
            yield bench
        finally:
            bench.close()
