"""Migrated databases on the oldest supported servers, with durable settings, for the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import make_url

from alembic import command
from tests.support.containers import MariaDbContainer, PostgresContainer
from tests.support.dba import dba
from worker.config import load
from worker.db import Database
from worker.db.migration import config

SCHEMA = "nc"
SERVERS = {"PostgreSQL 12": PostgresContainer, "MariaDB 10.5": MariaDbContainer}


class Bench:
    """What a DBA and a worker would do on one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environ = environment(url)
        self.database = Database(load(None, self.environ).database)
        self.is_mariadb = make_url(url).get_backend_name() == "mariadb"
        self._dba = dba(url, SCHEMA)

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run a DBA's statement; its rows."""
        return self._dba.sql(statement, *values)

    def call(self, routine: str, *arguments: Any) -> list[Any]:
        """Call a routine as the worker does."""
        return list(self.database.call(routine, *arguments))

    def numbers(self, size: int) -> str:
        """FROM what: the numbers 1 to `size`, as column n."""
        return f"(SELECT seq AS n FROM seq_1_to_{size}) s" if self.is_mariadb else f"generate_series(1, {size}) n"

    def later(self, instant: str, seconds: str) -> str:
        """The expression of an instant plus so many seconds."""
        if self.is_mariadb:
            return f"TIMESTAMP'{instant}' + INTERVAL ({seconds}) SECOND"
        return f"timestamptz '{instant}' + ({seconds}) * interval '1 second'"

    def analyze(self) -> None:
        """Let the server look at what was inserted."""
        self.sql("ANALYZE TABLE dialer_clients" if self.is_mariadb else "VACUUM ANALYZE")

    def virtual_clock(self) -> None:
        """Let claims believe the instant that they are given."""
        self.sql("UPDATE dialer_settings SET value = 'true' WHERE name = 'virtual_clock'")

    def own_asterisk(self) -> tuple[int, int]:
        """Register a worker that owns the Asterisk 'default' for an hour: worker id and epoch."""
        worker = self.database.value("dialer_worker_start", "bench", 3600)
        epoch = self.database.value("dialer_asterisk_own", worker, "default", 3600)
        self.call("dialer_trunk_ensure", "default", "PJSIP/{number}@carrier")
        return worker, epoch

    def project(self, name: str) -> None:
        """An autoinforming project, not started."""
        self.sql(
            "INSERT INTO dialer_params (project_id, type, exten, context, dial_time)"
            " VALUES (%s, 'autoinforming', 's', 'autoinforming', 2000)",
            name,
        )

    def close(self) -> None:
        """Give the connections up."""
        self._dba.close()
        self.database.dispose()


def environment(url: str) -> dict[str, str]:
    """Settings of a dialer on this database, as environment variables; the AMI is to be added."""
    schema = {} if make_url(url).get_backend_name() == "mariadb" else {"DIALER_DATABASE_SCHEME": SCHEMA}
    return {
        "DIALER_DATABASE_URL": url,
        **schema,
        "DIALER_AMI_IP": "127.0.0.1",
        "DIALER_AMI_USERNAME": "dialer",
        "DIALER_AMI_PASSWORD": "bench",
    }


@contextmanager
def bench_on(server: str) -> Iterator[Bench]:
    """A migrated database on one of SERVERS."""
    with SERVERS[server](durable=True) as running:
        url = running.databases().create()
        command.upgrade(config(load(None, environment(url)).database), "head")
        bench = Bench(url)
        try:
            yield bench
        finally:
            bench.close()
