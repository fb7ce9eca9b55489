"""What PostgreSQL does its own way: session settings, calls, and the wake-up by LISTEN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from worker.config import DatabaseSettings

LOST = (psycopg.OperationalError, psycopg.InterfaceError)
"""What a lost or refused connection raises outside SQLAlchemy."""


def connect_args(statement_timeout_seconds: float) -> dict[str, Any]:
    """Arguments of psycopg.connect: keepalives find a dead peer within half a minute."""
    return {
        "connect_timeout": 5,
        "application_name": "dialer",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_seconds * 1000)}"
        " -c lock_timeout=20000",
    }


def prepare(settings: DatabaseSettings) -> Callable[[Any, object], None]:
    """A listener for SQLAlchemy's connect event: every session works in the dialer's schema."""

    def connected(connection: psycopg.Connection[Any], _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET search_path TO {}, pg_temp").format(sql.Identifier(settings.schema)))
        connection.commit()

    return connected


def call(routine: str, parameters: Sequence[str]) -> str:
    """The statement that calls a routine with named bind parameters."""
    return f"SELECT * FROM {routine}({', '.join(':' + name for name in parameters)})"  # noqa: S608


class Wakeups:
    """Wake-ups from the database: `wait` blocks a greenlet of its own until a project wants to be looked at."""

    def __init__(self, settings: DatabaseSettings) -> None:
        # As SQLAlchemy gives it to psycopg: several hosts become libpq's lists.
        url = settings.url()
        dialect: Any = url.get_dialect()
        positional, given = dialect().create_connect_args(url)
        arguments = {**given, **connect_args(statement_timeout_seconds=0)}
        self._connection = psycopg.connect(*positional, autocommit=True, **arguments)
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"dialer:{settings.schema}")))

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects that were woken, as they come, for `seconds`; '' stands for all of them.

        Raises one of LOST when the connection is lost.
        """
        for notification in self._connection.notifies(timeout=seconds):
            yield notification.payload
        # A half-open connection looks silent: ask.
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()
