"""What MariaDB does its own way: session settings, values, calls, and the wake-up by a table that is read.

Under gevent PyMySQL gives way to other greenlets while it waits, being pure Python on a patched socket.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_datetime
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text

import sql
from worker.config import DatabaseSettings
from worker.db.patience import IDLE_SECONDS, LOCK_SECONDS
from worker.errors import DialerError

_COLLATION = "utf8mb4_nopad_bin"

# Deadlock, lock wait time-out, and "record has changed since last read" where somebody has set
# innodb_snapshot_isolation. PyMySQL does not keep SQLSTATEs, only the server's own numbers.
_RETRYABLE = {1213, 1205, 1020}
_SQLSTATES = {1213: "40001", 1062: "23505", 1452: "23503", 4025: "23514"}
# The server refuses us, is going down, or gave up on a statement: too many connections (1040, 1203, 1226), access
# denied (1044, 1045, 1698), unknown database (1049), shutdown (1053), host blocked (1129, 1130), query interrupted
# (1317), read only (1290, 1836), killed (1927), max_statement_time (1969); a node of Galera that is not in the cluster
# (1047); a full disk (1021, 1026, 1114).
_REFUSED = {1021, 1026, 1040, 1044, 1045, 1047, 1049, 1053, 1114, 1129, 1130, 1203, 1226, 1290, 1317, 1698, 1836, 1927}
_REFUSED |= {1969}
_UNKNOWN_DATABASE = 1049
_LOCK_TIMEOUT = 1205
_TIMEOUTS = {1969, _LOCK_TIMEOUT}
_MIGRATION_LOCK_SECONDS = 20
_FIRST_OF_THE_CLIENT = 2000
_LAST_OF_THE_CLIENT = 2999


def _text_of(value: datetime, _mapping: object = None) -> str:
    """An instant as a literal; sessions are in UTC."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return f"'{value.isoformat(sep=' ', timespec='microseconds')}'"


def _instant_of(value: str) -> datetime | str | None:
    """Sessions are in UTC, so every instant that is read is of UTC."""
    found = convert_datetime(value)
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found


# As psycopg gives them: bool, instants with their zone.
_CONVERSIONS = {
    **conversions,
    FIELD_TYPE.TINY: lambda value: bool(int(value)),  # tinyint(1), and there is no other one
    FIELD_TYPE.TIMESTAMP: _instant_of,
    FIELD_TYPE.DATETIME: _instant_of,
    datetime: _text_of,
}


class MariaDB:
    """MariaDB 10.3 and later, by PyMySQL."""

    name = "mariadb"
    lost: tuple[type[Exception], ...] = (pymysql.OperationalError, pymysql.InterfaceError, OSError)

    def connect_args(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> dict[str, Any]:
        """Arguments of pymysql.connect. The server ends long statements; a silent one is given up a little later."""
        return {
            "connect_timeout": 5,
            "read_timeout": statement_timeout_seconds + 10 if statement_timeout_seconds else 15,
            "write_timeout": 30,
            "charset": "utf8mb4",
            "conv": _CONVERSIONS,
            "program_name": "dialer",
            **_tls(settings),
        }

    def connect(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
        """None: as SQLAlchemy does it by itself."""

    def prepare(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> Callable[[Any, object], None]:
        """A listener for SQLAlchemy's connect event: every session is in UTC, strict, and never waits for long."""

        def connected(connection: Any, _record: object) -> None:
            with connection.cursor() as cursor:
                # Since 11.6.2 a row that was committed while a statement waited for it is an error by default, even
                # at READ COMMITTED; elder servers, and they too when told so, just read it anew.
                cursor.execute(
                    "SET SESSION time_zone = '+00:00', /*M!110602 innodb_snapshot_isolation = OFF, */"
                    " innodb_lock_wait_timeout = %s, max_statement_time = %s, idle_transaction_timeout = %s,"
                    " group_concat_max_len = 16777216, sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                    "NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION'",
                    # A process that is frozen in the middle of a transaction must not keep its locks beyond its lease.
                    (LOCK_SECONDS, statement_timeout_seconds, IDLE_SECONDS)
                    if statement_timeout_seconds
                    else (_MIGRATION_LOCK_SECONDS, 0, 0),
                )

        return connected

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """A procedure is called, a function selected: its file says which it is."""
        arguments = ", ".join(":" + name for name in parameters)
        call = f"{routine}({arguments})"
        return f"SELECT {call} AS {routine}" if _is_function(routine) else f"CALL {call}"

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """The limit holds for a CALL as a whole, waiting for locks included."""
        return (f"SET STATEMENT max_statement_time = {seconds:g} FOR {statement}",)

    def sqlstate(self, error: BaseException) -> str | None:
        """Of those that somebody asks for."""
        return _SQLSTATES.get(_number(error))

    def is_retryable(self, error: BaseException) -> bool:
        """Deadlock, lock wait time-out, a row that changed meanwhile."""
        return _number(error) in _RETRYABLE

    def is_timeout(self, error: BaseException) -> bool:
        """max_statement_time, lock wait time-out."""
        return _number(error) in _TIMEOUTS

    def is_unavailable(self, error: BaseException) -> bool:
        """The driver's own errors, and those of a server that does not want us now."""
        number = _number(error)
        return (
            number in _REFUSED
            or _FIRST_OF_THE_CLIENT <= number <= _LAST_OF_THE_CLIENT
            or isinstance(error, pymysql.InterfaceError)
        )

    def is_schema_missing(self, error: BaseException) -> bool:
        """The schema is the database that one connects to."""
        return _number(error) == _UNKNOWN_DATABASE

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """By the catalogue, whatever the case of names on the server's disk."""
        found = connection.execute(
            text("SELECT count(*) FROM information_schema.tables WHERE table_schema = :schema AND table_name = :name"),
            {"schema": schema, "name": name},
        ).scalar()
        return bool(found)

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""
        return Wakeups(settings, self.connect_args(settings, statement_timeout_seconds=0))

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """Schema and database are one."""
        quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
        connection.execute(text(f"DROP DATABASE IF EXISTS {quoted}"))

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """Without the database, which may have to be made first."""
        # Waiting for another migration and rewriting large tables take as long as they do.
        arguments = {**self.connect_args(settings, statement_timeout_seconds=0), "read_timeout": None}
        engine = create_engine(settings.url()._replace(database=None), poolclass=NullPool, connect_args=arguments)
        event.listen(engine, "connect", self.prepare(settings, statement_timeout_seconds=0))
        return engine

    @contextmanager
    def migrating(self, connection: Connection, schema: str) -> Iterator[None]:
        """Names are compared byte by byte in the tables; parameters of routines take the database's collation, so it
        is lent to it for the while."""
        quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
        _require_server(connection)
        connection.execute(text("SELECT GET_LOCK('dialer migrate', 3600)"))
        before = _collation(connection, schema)
        if before is None:
            connection.execute(text(f"CREATE DATABASE {quoted} CHARACTER SET utf8mb4 COLLATE {_COLLATION}"))
            before = _COLLATION
        connection.execute(text(f"USE {quoted}"))
        if before != _COLLATION:
            connection.execute(text(f"ALTER DATABASE {quoted} COLLATE {_COLLATION}"))
        connection.commit()
        try:
            yield
        finally:
            if before != _COLLATION and not connection.invalidated:
                connection.rollback()
                connection.execute(text(f"ALTER DATABASE {quoted} COLLATE {before}"))
                connection.commit()


class Wakeups:
    """Wake-ups by reading dialer_wakeups: the server waits (dialer_wait), so an idle worker hardly asks.

    Each worker sees each row. Who has known a row for _KEPT_SECONDS, unchanged, deletes it; until then every other
    worker that listens has seen it as well. What was committed before this began is not heard.
    """

    _TURN_SECONDS = 2.0
    """The longest that one question to the server takes; a closed session lives on there for as long."""
    _KEPT_SECONDS = 2.0
    _MOST_DELETED = 500
    _NOTHING = 1
    """What dialer_wait calls an empty table."""

    def __init__(self, settings: DatabaseSettings, arguments: dict[str, Any]) -> None:
        url = settings.url()
        dialect: Any = url.get_dialect()
        positional, given = dialect().create_connect_args(url)
        self._connection = pymysql.connect(*positional, **{**given, **arguments, "autocommit": True})
        self._mark: int | None = None
        self._seen: dict[tuple[int, str, bool], tuple[datetime, float]] = {}
        """Session, project and kind of each row, to when it was written and since when that is known."""
        with self._connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # A row that somebody's transaction is writing to is deleted another time.
            cursor.execute("SET SESSION time_zone = '+00:00', max_statement_time = 0, innodb_lock_wait_timeout = 0")
        list(self._look(0))

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects that were woken, as they come, for `seconds`; '' stands for all of them."""
        until = time.monotonic() + seconds
        while True:
            self._forget()
            left = until - time.monotonic()
            yield from self._look(min(max(left, 0), self._TURN_SECONDS))
            if left <= 0:
                return

    def _look(self, seconds: float) -> Iterator[str]:
        with self._connection.cursor() as cursor:
            cursor.execute("CALL dialer_wait(%s, %s)", (seconds, self._mark))
            rows = cursor.fetchall()
        self._mark = int(rows[0][0]) if rows else self._NOTHING
        for _, session, project, hungry, written, wanted in rows:
            key = int(session), str(project), bool(hungry)
            if self._seen.get(key, (None,))[0] != written:
                self._seen[key] = written, time.monotonic()
                if wanted:
                    yield str(project)

    def _forget(self) -> None:
        """Delete the rows that everybody has had time to see."""
        before = time.monotonic() - self._KEPT_SECONDS
        old = [(*key, written) for key, (written, since) in self._seen.items() if since < before]
        with self._connection.cursor() as cursor:
            for session, project, hungry, written in old[: self._MOST_DELETED]:
                try:
                    cursor.execute(
                        "DELETE FROM dialer_wakeups"
                        " WHERE session = %s AND project_id = %s AND only_hungry = %s AND written_at = %s",
                        (session, project, hungry, written),
                    )
                except pymysql.OperationalError as error:
                    if _number(error) != _LOCK_TIMEOUT:
                        raise
                    continue
                del self._seen[session, project, hungry]

    def close(self) -> None:
        """Give the connection up."""
        self._connection.close()


def _require_server(connection: Connection) -> None:
    version = str(connection.execute(text("SELECT version()")).scalar())
    numbers = version.split("-", maxsplit=1)[0].split(".")
    if "MariaDB" not in version or (int(numbers[0]), int(numbers[1])) < (10, 3):
        raise DialerError(
            f"The server is {version}, the dialer needs MariaDB 10.3 or later (or PostgreSQL 12 or later)."
        )


@cache
def _is_function(routine: str) -> bool:
    return "CREATE OR REPLACE FUNCTION" in sql.routine(MariaDB.name, routine)


def _number(error: BaseException) -> int:
    """The server's or the driver's number of an error; 0: it has none."""
    arguments = error.args
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def _collation(connection: Connection, schema: str) -> str | None:
    """The collation that a database gives to what is made in it; None: there is no such database."""
    found = connection.execute(
        text("SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = :schema"),
        {"schema": schema},
    ).scalar()
    return None if found is None else str(found)


@cache
def _context(ca: str | None, cert: str | None, key: str | None, check_hostname: bool) -> ssl.SSLContext:
    """One for all connections: making one blocks every greenlet for up to 100 ms."""
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = check_hostname
    if cert:
        context.load_cert_chain(cert, key)
    return context


def _tls(settings: DatabaseSettings) -> dict[str, Any]:
    """TLS only if the url asks for it (ssl_ca=, ssl_cert=, ssl_key=, ssl_check_hostname=)."""
    asked = {name: str(value) for name, value in settings.query.items() if name.startswith("ssl")}
    if not asked:
        return {"ssl_disabled": True}
    check = asked.get("ssl_check_hostname", "true").lower() not in ("0", "false", "no")
    return {"ssl": _context(asked.get("ssl_ca"), asked.get("ssl_cert"), asked.get("ssl_key"), check)}
