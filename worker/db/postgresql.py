"""What PostgreSQL does its own way: session settings, calls, and the wake-up by LISTEN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gevent
import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from worker.config import DatabaseSettings
from worker.db.patience import IDLE_SECONDS, LOCK_SECONDS

# Serialisation failure, deadlock, lock wait time-out.
_RETRYABLE = {"40001", "40P01", "55P03"}
_TIMEOUTS = {"57014", "55P03"}
# Any number will do; it keeps two `dialer migrate` from running into each other.
_MIGRATION_LOCK = 5_417_003
# A transaction that may only read: a standby, or a server that is being switched over.
_READ_ONLY = "25006"
# For an answer on its way, after the server has given a statement up.
_ANSWER_SECONDS = 10


class _PatientConnection(psycopg.Connection[Any]):
    """Waits for the server's answer, but not for ever.

    statement_timeout is kept by the server. One that is frozen keeps nothing, and while its kernel acknowledges what is
    sent TCP sees no fault either; when it has been replaced its answer never comes.
    """

    patience_seconds: float | None = None

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """As psycopg's; OperationalError when the answer does not come in time."""
        limit = gevent.Timeout(self.patience_seconds)
        try:
            with limit:
                return super().wait(gen, *arguments, **named)
        except gevent.Timeout as expired:
            if expired is not limit:
                raise
            self.pgconn.finish()  # what it is in the middle of nobody knows
            raise psycopg.OperationalError(f"the server did not answer in {self.patience_seconds:g} s") from None


class PostgreSQL:
    """PostgreSQL 12 and later, by psycopg."""

    name = "postgresql"
    lost: tuple[type[Exception], ...] = (psycopg.OperationalError, psycopg.InterfaceError)

    def connect_args(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> dict[str, Any]:
        """Arguments of psycopg.connect: keepalives find a dead peer within half a minute, tcp_user_timeout (ms) one
        that did not take what was sent: keepalives rest then, and TCP alone tries for a quarter of an hour."""
        return {
            "connect_timeout": 5,
            "application_name": "dialer",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            "options": f"-c timezone=UTC -c statement_timeout={int(statement_timeout_seconds * 1000)}"
            f" -c lock_timeout={LOCK_SECONDS * 1000}"
            # A process that is frozen in the middle of a transaction must not keep its locks beyond its lease.
            f" -c idle_in_transaction_session_timeout={IDLE_SECONDS * 1000}",
        }

    def connect(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> _PatientConnection:
        """Connect as SQLAlchemy asks for it."""
        return _PatientConnection.connect(*arguments, **named)

    def prepare(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> Callable[[Any, object], None]:
        """A listener for SQLAlchemy's connect event: every session works in the dialer's schema."""

        def connected(connection: _PatientConnection, _record: object) -> None:
            if statement_timeout_seconds:
                connection.patience_seconds = statement_timeout_seconds + _ANSWER_SECONDS
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SET search_path TO {}, pg_temp").format(sql.Identifier(settings.schema)))
            connection.commit()

        return connected

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """All routines are functions."""
        return f"SELECT * FROM {routine}({', '.join(':' + name for name in parameters)})"  # noqa: S608

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """The limit counts from the next statement on, and ends with the transaction."""
        return f"SET LOCAL statement_timeout = {round(seconds * 1000)}", statement

    def sqlstate(self, error: BaseException) -> str | None:
        """psycopg keeps it beside the message."""
        return getattr(error, "sqlstate", None)

    def is_retryable(self, error: BaseException) -> bool:
        """Serialisation failure, deadlock, lock wait time-out."""
        return self.sqlstate(error) in _RETRYABLE

    def is_timeout(self, error: BaseException) -> bool:
        """query_canceled, lock_not_available: time-outs of statements and locks."""
        return self.sqlstate(error) in _TIMEOUTS

    def is_unavailable(self, error: BaseException) -> bool:
        """psycopg's OperationalError holds these, time-outs of statements and a full disk included; but a server
        that takes no writes it files under internal errors."""
        lost = isinstance(error, self.lost) or self.sqlstate(error) == _READ_ONLY
        return lost and not self.is_retryable(error)

    def is_schema_missing(self, error: BaseException) -> bool:
        """One connects to a database; the schema in it may be missing."""
        return False

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """to_regclass looks in the schema alone."""
        found = connection.execute(text("SELECT to_regclass(:name)"), {"name": f'"{schema}".{name}'}).scalar()
        return found is not None

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""
        return Wakeups(settings, self.connect_args(settings, statement_timeout_seconds=0))

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """With whatever depends on it."""
        quoted = connection.dialect.identifier_preparer.quote(schema)
        connection.execute(text(f"DROP SCHEMA IF EXISTS {quoted} CASCADE"))

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """With the server's own settings: `server_zone` is taken from them."""
        return create_engine(settings.url(), poolclass=NullPool)

    @contextmanager
    def migrating(self, connection: Connection, schema: str) -> Iterator[None]:
        """The lock lasts as long as the session does."""
        quoted = connection.dialect.identifier_preparer.quote(schema)
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
        connection.execute(text(f"SET search_path TO {quoted}, pg_temp"))
        connection.commit()
        yield


class Wakeups:
    """Wake-ups by LISTEN: `wait` blocks a greenlet of its own until a project wants to be looked at."""

    def __init__(self, settings: DatabaseSettings, arguments: dict[str, Any]) -> None:
        # As SQLAlchemy gives it to psycopg: several hosts become libpq's lists.
        url = settings.url()
        dialect: Any = url.get_dialect()
        positional, given = dialect().create_connect_args(url)
        self._connection = _PatientConnection.connect(*positional, autocommit=True, **{**given, **arguments})
        self._connection.patience_seconds = _ANSWER_SECONDS
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"dialer:{settings.schema}")))

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects that were woken, as they come, for `seconds`; '' stands for all of them."""
        self._connection.patience_seconds = seconds + _ANSWER_SECONDS
        for notification in self._connection.notifies(timeout=seconds):
            yield notification.payload
        # A half-open connection looks silent: ask.
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()
