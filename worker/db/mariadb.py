"""What is particular to MariaDB: sessions, values, calls, the wake-up by a table, and what a server must be like.

Under gevent PyMySQL gives way to other greenlets while it waits, being pure Python on a patched socket.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_datetime, escape_string
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

import sql
from worker.config import DatabaseSettings
from worker.db.limits import IDLE_SECONDS, LOCK_SECONDS
from worker.db.mariadb_objects import SCRATCH, differing, execute, replacing, standing
from worker.db.objects import SchemaObject, missing
from worker.db.zones import machine_zone, written_offset
from worker.errors import DialerError, Mistake

# Deadlock, lock wait time-out, and "record has changed since last read" where somebody has set
# innodb_snapshot_isolation. PyMySQL does not keep SQLSTATEs, only the server's own numbers.
_RETRYABLE = {1213, 1205, 1020}
_SQLSTATES = {1213: "40001", 1062: "23505", 1452: "23503", 4025: "23514"}
# The server refuses us, is going down, or gave up on a statement: too many connections (1040, 1203, 1226), access
# denied (1044, 1045, 1698), unknown database (1049), shutdown (1053), host blocked (1129, 1130), query interrupted
# (1317), read only (1290, 1792, 1836), killed (1927), max_statement_time (1969); a node of Galera that is not in the
# cluster (1047); a full disk (1021, 1026, 1114).
_UNWILLING = {
    1021,
    1026,
    1040,
    1044,
    1045,
    1047,
    1049,
    1053,
    1114,
    1129,
    1130,
    1203,
    1226,
    1290,
    1317,
    1698,
    1792,
    1836,
}
_UNWILLING |= {1927, 1969}
# Wrong password, wrong user; no right to the database.
_REFUSED = {1044, 1045, 1698}
_DENIED = {1044, 1142, 1143, 1227, 1370}
# No such routine, table or column; no such definer, or no right of his (1142, 1143, 1370, 1449); a view that reads what
# is not there (1356); character sets that do not go together (1267).
_BROKEN = {1054, 1142, 1143, 1146, 1267, 1305, 1318, 1356, 1370, 1449}
_NO_LOGGED_FUNCTIONS = 1419
_NAME_TAKEN = {1050, 1347}
_UNKNOWN_DATABASE = 1049
_LOCK_TIMEOUT = 1205
_TIMEOUTS = {1969, _LOCK_TIMEOUT}
_MIGRATION_LOCK_SECONDS = 20
GRANTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW, CREATE ROUTINE,"
    " ALTER ROUTINE, EXECUTE, TRIGGER, CREATE TEMPORARY TABLES"
)
"""What the dialer's user needs on its database, to migrate and to work."""

# Settings that the server, or its init_connect, may have as defaults, and that would change what statements mean or cut
# them short.
_SESSION = (
    "time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,"
    "NO_ENGINE_SUBSTITUTION', old_mode = '', completion_type = 'NO_CHAIN', sql_safe_updates = OFF,"
    " sql_auto_is_null = OFF, sql_select_limit = 18446744073709551615, sql_big_selects = ON,"
    " check_constraint_checks = ON, foreign_key_checks = ON, unique_checks = ON, div_precision_increment = 4,"
    " default_regex_flags = '', default_week_format = 0, lc_time_names = 'en_US', max_error_count = 64,"
    " max_heap_table_size = 67108864, tmp_table_size = 67108864, group_concat_max_len = 16777216,"
    " idle_write_transaction_timeout = 0, idle_readonly_transaction_timeout = 0,"
    # Since 11.6.2 it is an error by default, even at READ COMMITTED, if a row was committed while a statement waited
    # for it; older servers, and new ones with this setting off, just read the row again.
    " /*M!110602 innodb_snapshot_isolation = OFF, */"
)

_FIRST_OF_THE_CLIENT = 2000
_LAST_OF_THE_CLIENT = 2999


_LONGEST_INSERT = 1_000_000
"""Characters of a statement: well below max_allowed_packet, 16 MB by default."""


def _execute_as_it_is(connection: Connection, statement: str) -> None:
    """Without a look for parameters: it has data in it."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _text_of(value: datetime, _mapping: object = None) -> str:
    """An instant as a literal; sessions are in UTC."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return f"'{value.isoformat(sep=' ', timespec='microseconds')}'"


def _instant_of(value: str) -> datetime | str | None:
    """Sessions are in UTC, so every instant that is read is of UTC."""
    found = convert_datetime(value)
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found


# The same types that psycopg gives: bool, and instants with their zone.
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
        """Arguments of pymysql.connect. The server ends long statements; if it is silent, we give up a little later."""
        # A process frozen in the middle of a transaction must not keep its locks beyond its lease.
        limits = (
            (LOCK_SECONDS, statement_timeout_seconds, IDLE_SECONDS)
            if statement_timeout_seconds
            else (_MIGRATION_LOCK_SECONDS, 0, 0)
        )
        names = ("innodb_lock_wait_timeout", "max_statement_time", "idle_transaction_timeout")
        return {
            "connect_timeout": 5,
            "read_timeout": statement_timeout_seconds + 10 if statement_timeout_seconds else 15,
            "write_timeout": 30,
            "charset": "utf8mb4",
            "collation": "utf8mb4_general_ci",
            "init_command": f"SET SESSION {_SESSION}"
            + ", ".join(f" {name} = {limit:g}" for name, limit in zip(names, limits, strict=True)),
            "conv": _CONVERSIONS,
            "program_name": "dialer",
            **_tls(settings),
        }

    def connect(
        self,
        settings: DatabaseSettings,
        statement_timeout_seconds: float,
        arguments: Sequence[Any],
        named: Mapping[str, Any],
    ) -> pymysql.Connection[Any]:
        """Connect; of several servers to the first one that takes writes."""
        hosts = [host.strip() for host in str(named.get("host", "")).split(",")]
        failed: Exception | None = None
        for host in hosts:
            try:
                connection = pymysql.connect(*arguments, **{**named, **({"host": host} if host else {})})
            except pymysql.OperationalError as error:
                # If every server would answer the same, do not ask the next one.
                if _number(error) in _REFUSED:
                    raise
                failed = error
                continue
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                    if len(hosts) > 1:
                        cursor.execute("SELECT @@global.read_only")
                        if cursor.fetchall()[0][0]:
                            failed = pymysql.OperationalError(1290, f"{host} is read-only")
                            connection.close()
                            continue
            except BaseException:
                connection.close()
                raise
            return connection
        assert failed is not None
        raise failed

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """A procedure is called, a function selected: its file says which it is."""
        arguments = ", ".join(":" + name for name in parameters)
        call = f"{routine}({arguments})"
        return f"SELECT {call} AS {routine}" if _is_function(routine) else f"CALL {call}"

    def row(self, values: Sequence[str | int | None]) -> str:
        """A row of VALUES."""
        line = ",".join(["NULL" if one is None else f"'{one}'" for one in values])
        # Mostly there is nothing to be escaped, and to look costs a quarter of what it costs to do it for each value.
        if "\\" in line or line.count("'") != 2 * (len(values) - values.count(None)):
            line = ",".join(["NULL" if one is None else f"'{escape_string(str(one))}'" for one in values])
        return f"({line})"

    def load(self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
        """By INSERTs of many rows: LOAD DATA LOCAL may be forbidden by the server."""
        begin = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of ours
        written: list[str] = []
        size = 0
        for row in rows:
            written.append(row)
            size += len(row)
            if size > _LONGEST_INSERT:
                _execute_as_it_is(connection, begin + ",".join(written))
                written, size = [], 0
        if written:
            _execute_as_it_is(connection, begin + ",".join(written))

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """The limit holds for a CALL as a whole, waiting for locks included."""
        return (f"SET STATEMENT max_statement_time = {seconds:g} FOR {statement}",)

    def sqlstate(self, error: BaseException) -> str | None:
        """The SQLSTATEs of those errors that somebody asks about."""
        return _SQLSTATES.get(_number(error))

    def is_retryable(self, error: BaseException) -> bool:
        """Deadlock, lock wait time-out, a row that changed meanwhile."""
        return _number(error) in _RETRYABLE

    def is_timeout(self, error: BaseException) -> bool:
        """max_statement_time, lock wait time-out."""
        return _number(error) in _TIMEOUTS

    def is_unavailable(self, error: BaseException) -> bool:
        """The driver's own errors, and those of a server that refuses us for now."""
        number = _number(error)
        return (
            number in _UNWILLING
            or _FIRST_OF_THE_CLIENT <= number <= _LAST_OF_THE_CLIENT
            or isinstance(error, pymysql.InterfaceError)
        )

    def is_refused(self, error: BaseException) -> bool:
        """Wrong user or password, or no right to the database."""
        return _number(error) in _REFUSED

    def is_shared_session(self, error: BaseException) -> bool:
        """There is no such pooler for MariaDB."""
        return False

    def is_broken(self, error: BaseException) -> bool:
        """Something is missing, or its definer or the definer's rights; or character sets do not go together."""
        return _number(error) in _BROKEN

    def is_schema_missing(self, error: BaseException) -> bool:
        """The schema is the database that one connects to."""
        return _number(error) == _UNKNOWN_DATABASE

    def remedy(self, error: BaseException, settings: DatabaseSettings) -> str:
        """What to do about a refused migration, by the error's number."""
        number = _number(error)
        if number in _DENIED:
            return f"GRANT {GRANTS} ON `{settings.schema}`.* TO {settings.username or 'the user'};"
        if number == _NO_LOGGED_FUNCTIONS:
            return (
                "Set log_bin_trust_function_creators = 1 in the server's configuration, and at once by `SET GLOBAL`:"
                " else only SUPER may make functions and triggers beside a binary log."
            )
        if number == _LOCK_TIMEOUT:
            return (
                "Somebody's open transaction holds it: SELECT * FROM information_schema.innodb_trx ORDER BY trx_started"
                " shows whose it may be. Have that ended."
            )
        if number in _NAME_TAKEN:
            return f"Something else has that name in {settings.schema}: rename or drop it."
        return "The server's error log may tell more."

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """Looked up in the catalogue, whatever the case of names on the server's disk."""
        found = connection.execute(
            text("SELECT count(*) FROM information_schema.tables WHERE table_schema = :schema AND table_name = :name"),
            {"schema": schema, "name": name},
        ).scalar()
        return bool(found)

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """Schema and database are one."""
        quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
        connection.execute(text(f"DROP DATABASE IF EXISTS {quoted}"))

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """Connects without the database, which may have to be made first."""
        # Waiting for another migration, and rewriting large tables, may take any time.
        arguments = {**self.connect_args(settings, 0), "read_timeout": None}
        engine = create_engine(settings.url()._replace(database=None), poolclass=NullPool, connect_args=arguments)
        event.listen(engine, "do_connect", lambda _d, _r, given, named: self.connect(settings, 0, given, named))
        return engine

    @contextmanager
    def migrating(self, connection: Connection, schema: str) -> Iterator[None]:
        """Checks before the first table what would stop it half way: MariaDB cannot roll a migration back."""
        quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
        _require_server(connection)
        if connection.execute(text("SELECT GET_LOCK('dialer migrate', 3600)")).scalar() != 1:
            raise DialerError(
                "Another `dialer migrate` is at work on this server, and this one was not let wait for it to the end."
                " Run it again when the other one is over."
            )
        found = connection.execute(
            text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :schema"), {"schema": schema}
        ).scalar()
        if not found:
            connection.execute(text(f"CREATE DATABASE {quoted} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"))
        connection.execute(text(f"USE {quoted}"))
        connection.execute(text(f"SET lock_wait_timeout = {_MIGRATION_LOCK_SECONDS}"))
        if connection.execute(text("SELECT @@log_bin AND NOT @@log_bin_trust_function_creators")).scalar():
            execute(connection, f"CREATE OR REPLACE FUNCTION {SCRATCH}() RETURNS int DETERMINISTIC NO SQL RETURN 1")
            execute(connection, f"DROP FUNCTION {SCRATCH}")
        connection.commit()
        yield

    def server_zone(self, connection: Connection) -> str:
        """The zone that the server names. If it goes by its machine's zone: this machine's name for it, if both show
        the same time now and in half a year; otherwise the offset in force."""

        def ask(statement: str, **values: object) -> Any:
            return connection.execute(text(statement), values).scalar()

        named = str(ask("SELECT @@global.time_zone"))
        if named != "SYSTEM" and ask("SELECT dialer_zone_known(:zone)", zone=named):
            return named
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        instants = (now, now + timedelta(days=182))

        def offsets(zone: str) -> list[int]:
            local = [ask("SELECT convert_tz(:at, '+00:00', :zone)", at=at, zone=zone) for at in instants]
            return [
                round((one.replace(tzinfo=None) - at).total_seconds()) for one, at in zip(local, instants, strict=True)
            ]

        there = offsets(named)
        if not any(there):
            return "UTC"
        ours = machine_zone() if named == "SYSTEM" else None
        if ours and ask("SELECT dialer_zone_known(:zone)", zone=ours) and offsets(ours) == there:
            return ours
        return written_offset(there[0])

    def replacing(
        self, connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
    ) -> AbstractContextManager[None]:
        """After the block exactly these routines, views and triggers are there, and no others of `ours` (kind and
        name)."""
        return replacing(connection, ours, objects)

    def secure(self, connection: Connection, objects: Sequence[SchemaObject]) -> None:
        """On MariaDB nobody may call a routine without a grant."""

    def differing(self, connection: Connection, schema: str, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
        """Those that are missing in the schema, or differ from what they should be."""
        return differing(connection, objects)

    # --- what a server must be like ----------------------------------------------------------------------

    def unfit(
        self, connection: Connection, settings: DatabaseSettings, objects: Sequence[SchemaObject]
    ) -> Iterator[Mistake]:
        """What keeps the dialer from working with this server and schema, as far as one session can see."""
        yield from _binary_log(connection)
        yield from _instant(connection)
        there = standing(connection)
        lacking = [one for one in objects if (one.kind, one.name) not in there]
        yield from missing(lacking)
        definers = {there[one.kind, one.name] for one in objects if one not in lacking}
        again = "Run `dialer migrate`: it makes them anew, with the rights of the user that it works as."
        if len(definers) > 1:
            told = ", ".join(sorted(definers))
            yield Mistake("the schema", f"has routines, views and triggers of several users ({told})", again)
        elif not lacking:
            try:
                connection.execute(text("SELECT dialer_setting('server_zone')"))
            except DBAPIError as error:
                if error.orig is None or not self.is_broken(error.orig):
                    raise
                said = f"has routines that work with the rights of {definers.pop()}: {error.orig.args[-1]}"
                yield Mistake("the schema", said, again)

    def shares_sessions(self, settings: DatabaseSettings) -> bool:
        """MariaDB's poolers keep a session that has settings of its own for its client."""
        return False

    def identities(self, connection: Connection, settings: DatabaseSettings) -> list[str]:
        """The schema on each of the hosts in DB_Server: the server has no name of its own that a copy would not
        have."""
        hosts = [host.strip() or "localhost" for host in settings.host.split(",")]
        return [f"{settings.schema} at {host}:{settings.port}" for host in hosts]

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""
        dialect: Any = settings.url().get_dialect()
        positional, given = dialect().create_connect_args(settings.url())
        named = {**given, **self.connect_args(settings, 0), "autocommit": True}
        return Wakeups(self.connect(settings, 0, positional, named))


class Wakeups:
    """Wake-ups by reading dialer_wakeups: the waiting is done by the server (dialer_wait), so an idle worker sends few
    queries.

    Each worker sees each row. A worker that has known a row for _KEPT_SECONDS, unchanged, deletes it; by then every
    other listening worker has seen it as well. Rows committed before this began are not reported.
    """

    _TURN_SECONDS = 2.0
    """The longest that one query waits at the server; after a close, the session lives on there for as long."""
    _KEPT_SECONDS = 2.0
    _MOST_DELETED = 500
    _NOTHING = 1
    """What dialer_wait returns for an empty table."""

    def __init__(self, connection: pymysql.Connection[Any]) -> None:
        self._connection = connection
        self._mark: int | None = None
        self._seen: dict[tuple[int, str, bool], tuple[datetime, float]] = {}
        """By session, project and kind of each row: when it was written, and since when we have known that."""
        with self._connection.cursor() as cursor:
            # If somebody's transaction is writing to a row, delete it another time.
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 0")
        list(self._look(0))

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects to look at, as wake-ups for them come in, for `seconds`; '' stands for all projects."""
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
        """Close the connection."""
        self._connection.close()


def _require_server(connection: Connection) -> None:
    version = str(connection.execute(text("SELECT version()")).scalar())
    numbers = version.split("-", maxsplit=1)[0].split(".")
    if "MariaDB" not in version or (int(numbers[0]), int(numbers[1])) < (10, 3):
        raise DialerError(
            f"The server is {version}, the dialer needs MariaDB 10.3 or later (or PostgreSQL 12 or later)."
        )
    for wrong in (*_binary_log(connection), *_instant(connection)):
        raise DialerError(f"{wrong.name} {wrong.fault}. {wrong.remedy}")


def _instant(connection: Connection) -> Iterator[Mistake]:
    """The gate is asked about an instant by `SET STATEMENT timestamp`."""
    try:
        connection.execute(text("SET STATEMENT timestamp = 1 FOR SELECT 1"))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        yield Mistake(
            "secure_timestamp",
            "keeps the dialer's user from asking about an instant, so nothing could be dialled",
            "Set secure_timestamp = NO in the server's configuration, and restart it.",
        )


def _binary_log(connection: Connection) -> Iterator[Mistake]:
    formats = connection.execute(text("SELECT @@global.binlog_format, @@session.binlog_format")).one()
    if connection.execute(text("SELECT @@log_bin")).scalar() and "STATEMENT" in formats:
        yield Mistake(
            "binlog_format",
            "is STATEMENT, and with that the server refuses what is written in a transaction that reads committed",
            "Set binlog_format = MIXED (or ROW) in the server's configuration, and at once by `SET GLOBAL`.",
        )


@cache
def _is_function(routine: str) -> bool:
    return "CREATE OR REPLACE FUNCTION" in sql.LIBRARY.text(MariaDB.name, routine)


def _number(error: BaseException) -> int:
    """The server's or the driver's number for an error; 0: it has none."""
    arguments = error.args
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


@cache
def _context(ca: str | None, cert: str | None, key: str | None, check_hostname: bool) -> ssl.SSLContext:
    """Shared by all connections: making a context blocks every greenlet for up to 100 ms."""
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
