"""What is particular to PostgreSQL: sessions, calls, the wake-up by LISTEN, and what a server must be like."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import gevent
import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from worker.config import DatabaseSettings
from worker.db.limits import IDLE_SECONDS, LOCK_SECONDS
from worker.db.objects import SchemaObject, missing
from worker.db.postgresql_objects import differing, secure, standing
from worker.db.postgresql_replacing import replacing
from worker.db.zones import written_offset
from worker.errors import Mistake

# Serialisation failure, deadlock, lock wait time-out.
_RETRYABLE = {"40001", "40P01", "55P03"}
_TIMEOUTS = {"57014", "55P03"}
# What COPY's text format escapes.
_COPIED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
# Any number will do; it keeps two `dialer migrate` from running into each other.
_MIGRATION_LOCK = 5_417_003
# A transaction that may only read: a standby, or a server that is being switched over.
_READ_ONLY = "25006"
# Grace for the answer to arrive after the server has given a statement up.
_ANSWER_SECONDS = 10
_PROBE_SECONDS = 5.0
# A refused connection has no SQLSTATE in libpq, only a text; in English, unless the server speaks another language.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|no such user|not permitted to log in"
    r"|role \".*\" does not exist"
)
# A statement that this session prepared is missing, or one that it did not prepare is there: sessions are shared.
_SHARED = {"26000", "42P05"}
_STATEMENT_POOLING = "statement pooling"
# No such routine, relation or schema; no right to it.
_BROKEN = {"42883", "42P01", "3F000", "42501", "42804", "42703"}
_INSUFFICIENT = "42501"
_LOCK_TIMEOUT = "55P03"
_MIGRATION_LOCK_SECONDS = 5

# Settings that the server, the database or the role may have as defaults, and that would change what statements mean or
# cut them short.
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    # Our queries are over sooner than they would be compiled.
    "jit": "off",
    "quote_all_identifiers": "off",
    "session_replication_role": "origin",
    "check_function_bodies": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}


class _LimitedConnection(psycopg.Connection[Any]):
    """Waits for the server's answer, but not for ever.

    The server enforces statement_timeout. A frozen server enforces nothing, and as long as its kernel acknowledges what
    is sent, TCP sees no fault either; once the server has been replaced, its answer never comes.
    """

    answer_seconds: float | None = None

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Like psycopg's, but raises OperationalError when the answer does not come in time."""
        limit = gevent.Timeout(self.answer_seconds)
        try:
            with limit:
                return super().wait(gen, *arguments, **named)
        except gevent.Timeout as expired:
            if expired is not limit:
                raise
            self.pgconn.finish()  # nobody knows what it is in the middle of
            raise psycopg.OperationalError(f"the server did not answer in {self.answer_seconds:g} s") from None


class PostgreSQL:
    """PostgreSQL 12 and later, by psycopg."""

    name = "postgresql"
    lost: tuple[type[Exception], ...] = (psycopg.OperationalError, psycopg.InterfaceError)

    def connect_args(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> dict[str, Any]:
        """Arguments of psycopg.connect. Keepalives find a dead peer within half a minute. tcp_user_timeout (ms) finds
        one that did not acknowledge what was sent: keepalives rest then, and TCP alone would try for a quarter of an
        hour."""
        return {
            "connect_timeout": 5,
            "application_name": "dialer",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        }

    def connect(
        self,
        settings: DatabaseSettings,
        statement_timeout_seconds: float,
        arguments: Sequence[Any],
        named: Mapping[str, Any],
    ) -> _LimitedConnection:
        """Connect, and set in one round trip what we rely on. Not by the connection's `options`: poolers drop or refuse
        them."""
        limits = (statement_timeout_seconds, LOCK_SECONDS, IDLE_SECONDS) if statement_timeout_seconds else (0, 0, 0)
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        wanted = {
            **_SESSION,
            # A process frozen in the middle of a transaction must not keep its locks beyond its lease.
            **{name: f"{round(limit * 1000)}ms" for name, limit in zip(names, limits, strict=True)},
            "search_path": f"{sql.Identifier(settings.schema).as_string()}, pg_temp",
        }
        connection = _LimitedConnection.connect(*arguments, **{**named, "autocommit": True})
        try:
            connection.answer_seconds = _ANSWER_SECONDS
            # Skip names that this version does not know, and settings that are right already, since some may be set by
            # a superuser only.
            connection.execute(
                "SELECT set_config(s.name, s.value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
                " WHERE current_setting(s.name, true) <> s.value",
                (list(wanted), list(wanted.values())),
            )
            connection.autocommit = bool(named.get("autocommit", False))
        except BaseException:
            connection.close()
            raise
        connection.answer_seconds = statement_timeout_seconds + _ANSWER_SECONDS if statement_timeout_seconds else None
        return connection

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """All routines are functions."""
        return f"SELECT * FROM {routine}({', '.join(':' + name for name in parameters)})"  # noqa: S608

    def row(self, values: Sequence[str | int | None]) -> str:
        """A line of COPY's text format."""
        line = "\t".join(["\\N" if one is None else str(one) for one in values])
        # Mostly there is nothing to be escaped, and to look costs a quarter of what it costs to do it for each value.
        if (
            line.count("\\") != values.count(None)
            or line.count("\t") != len(values) - 1
            or "\n" in line
            or "\r" in line
        ):
            line = "\t".join(["\\N" if one is None else str(one).translate(_COPIED) for one in values])
        return line + "\n"

    def load(self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
        """By COPY."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write("".join(rows))
        except psycopg.Error as error:
            # As SQLAlchemy raises it, which does not know of COPY.
            raise DBAPIError(statement, None, error, connection_invalidated=driver.closed) from error

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """The limit holds from the next statement on, until the end of the transaction."""
        return f"SET LOCAL statement_timeout = {round(seconds * 1000)}", statement

    # --- errors ------------------------------------------------------------------------------------------

    def sqlstate(self, error: BaseException) -> str | None:
        """psycopg keeps the SQLSTATE beside the message."""
        return getattr(error, "sqlstate", None)

    def is_retryable(self, error: BaseException) -> bool:
        """Serialisation failure, deadlock, lock wait time-out."""
        return self.sqlstate(error) in _RETRYABLE

    def is_timeout(self, error: BaseException) -> bool:
        """query_canceled, lock_not_available: time-outs of statements and locks."""
        return self.sqlstate(error) in _TIMEOUTS

    def is_unavailable(self, error: BaseException) -> bool:
        """These are psycopg's OperationalErrors, including statement time-outs and a full disk. A server that takes no
        writes is an internal error to psycopg, so it is listed apart."""
        lost = isinstance(error, self.lost) or self.sqlstate(error) == _READ_ONLY
        return lost and not self.is_retryable(error)

    def is_refused(self, error: BaseException) -> bool:
        """Invalid password or role, while the connection was made."""
        return isinstance(error, psycopg.OperationalError) and bool(_REFUSED.search(str(error)))

    def is_shared_session(self, error: BaseException) -> bool:
        """Prepared statements that appeared or vanished by themselves, or no transactions at all."""
        return self.sqlstate(error) in _SHARED or _STATEMENT_POOLING in str(error)

    def is_broken(self, error: BaseException) -> bool:
        """No such function, relation, column or schema; no right to one."""
        return self.sqlstate(error) in _BROKEN

    def is_schema_missing(self, error: BaseException) -> bool:
        """Connections are to a database; the schema in it may be missing."""
        return False

    def remedy(self, error: BaseException, settings: DatabaseSettings) -> str:
        """What to do about a refused migration, by the error's SQLSTATE."""
        user = sql.Identifier(settings.username or "the user").as_string()
        schema = sql.Identifier(settings.schema).as_string()
        said = str(error)
        if self.sqlstate(error) == _INSUFFICIENT and "permission denied for database" in said:
            database = sql.Identifier(settings.name).as_string()
            return (
                f"Make the schema by hand, `CREATE SCHEMA {schema} AUTHORIZATION {user}`,"
                f" or `GRANT CREATE ON DATABASE {database} TO {user}`."
            )
        if self.sqlstate(error) == _INSUFFICIENT and "must be owner" in said:
            return f"Run it as the owner, or give what stands there to the user: `ALTER … OWNER TO {user}`."
        if self.sqlstate(error) == _INSUFFICIENT:
            return f"`GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}`, or make {user} the schema's owner."
        if self.sqlstate(error) == _LOCK_TIMEOUT:
            return (
                "Somebody's open transaction holds it: SELECT pid, usename, xact_start, query FROM pg_stat_activity"
                " WHERE xact_start IS NOT NULL ORDER BY xact_start shows whose it may be. Have that ended."
            )
        if self.sqlstate(error) in {"42P07", "42809", "42710", "42723"}:
            return f"Something else has that name in schema {schema}: rename or drop it."
        # Something uses what is to be dropped or to get another type; the detail says what.
        detail = getattr(getattr(error, "diag", None), "message_detail", None)
        if self.sqlstate(error) in {"2BP01", "0A000"} and detail:
            return f"{'. '.join(detail.splitlines())}. Keep the text of that and drop it, and make it again afterwards."
        return "The server's own log may tell more."

    # --- the schema --------------------------------------------------------------------------------------

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """to_regclass looks only in the schema."""
        found = connection.execute(text("SELECT to_regclass(:name)"), {"name": f'"{schema}".{name}'}).scalar()
        return found is not None

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """Drops it with everything that depends on it."""
        quoted = connection.dialect.identifier_preparer.quote(schema)
        connection.execute(text(f"DROP SCHEMA IF EXISTS {quoted} CASCADE"))

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """Statements may take any time."""
        engine = create_engine(settings.url(), poolclass=NullPool, connect_args=self.connect_args(settings, 0))
        event.listen(engine, "do_connect", lambda _d, _r, given, named: self.connect(settings, 0, given, named))
        return engine

    @contextmanager
    def migrating(self, connection: Connection, schema: str) -> Iterator[None]:
        """The lock lasts as long as the session does."""
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        # Not IF NOT EXISTS: that needs the right to make schemas even if there is nothing to make.
        found = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}).scalar()
        if not found:
            connection.execute(text(f"CREATE SCHEMA {connection.dialect.identifier_preparer.quote(schema)}"))
        # Behind a lock that this waits for everybody else waits, too, even who only reads.
        connection.execute(text(f"SET lock_timeout = '{_MIGRATION_LOCK_SECONDS}s'"))
        connection.commit()
        yield

    def server_zone(self, connection: Connection) -> str:
        """The zone that this session would have had; an offset if cases could not name that zone."""
        row = connection.execute(
            text(
                "SELECT reset_val AS zone, dialer_zone_known(reset_val) AS known,"
                " extract(epoch FROM statement_timestamp() AT TIME ZONE reset_val"
                " - statement_timestamp() AT TIME ZONE 'UTC') AS east"
                " FROM pg_settings WHERE name = 'TimeZone'"
            )
        ).one()
        return str(row.zone) if row.known else written_offset(int(row.east))

    def replacing(
        self, connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
    ) -> AbstractContextManager[None]:
        """After the block exactly these routines, views and triggers are there, and no others of `ours` (kind and
        name)."""
        return replacing(connection, ours, objects)

    def secure(self, connection: Connection, objects: Sequence[SchemaObject]) -> None:
        """Let the public call the routines that views call, and no others of ours."""
        secure(connection, objects)

    def differing(self, connection: Connection, schema: str, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
        """Those that are missing in the schema, or differ from what they should be."""
        return differing(connection, objects)

    # --- what a server must be like ----------------------------------------------------------------------

    def unfit(
        self, connection: Connection, settings: DatabaseSettings, objects: Sequence[SchemaObject]
    ) -> Iterator[Mistake]:
        """What keeps the dialer from working with this server and schema, as far as one session can see."""
        there = standing(connection)
        yield from missing([one for one in objects if (one.kind, one.name) not in there])

    def shares_sessions(self, settings: DatabaseSettings) -> bool:
        """Does a pooler give one client's session to another, during or after a transaction?"""
        dialect: Any = settings.url().get_dialect()
        positional, given = dialect().create_connect_args(settings.url())
        arguments = {**given, **self.connect_args(settings, _PROBE_SECONDS)}

        def opened() -> _LimitedConnection:
            return self.connect(settings, _PROBE_SECONDS, positional, arguments)

        def session_of(client: _LimitedConnection) -> int:
            with client.transaction():
                found = client.execute("SELECT pg_backend_pid()").fetchone()
            assert found is not None
            return int(found[0])

        try:
            with closing(opened()) as one, closing(opened()) as two:
                # A pooler hands out the session that became free last, so both clients get the same; or it takes
                # sessions in turn, so one client gets different ones; or others take the free one when two clients are
                # busy at once.
                ones = {session_of(one) for _ in range(3)}
                twos = {session_of(two) for _ in range(3)}
                with two.transaction(), one.transaction():
                    ones.add(session_of(one))
                    twos.add(session_of(two))
                return len(ones) > 1 or len(twos) > 1 or ones == twos
        except psycopg.Error as error:
            if self.is_shared_session(error):
                return True
            raise

    def identities(self, connection: Connection, settings: DatabaseSettings) -> list[str]:
        """Which server and database this is: a promoted standby is the same one, a restored dump is another."""
        may_ask = text("SELECT has_function_privilege('pg_control_system()', 'execute')")
        server = (
            connection.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar()
            if connection.execute(may_ask).scalar()
            else "a server that does not tell its number,"
        )
        return [f"{server} {connection.execute(text('SELECT current_database()')).scalar()}"]

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""
        dialect: Any = settings.url().get_dialect()
        # As SQLAlchemy gives it to psycopg: several hosts become libpq's lists.
        positional, given = dialect().create_connect_args(settings.url())
        named = {**given, **self.connect_args(settings, 0), "autocommit": True}
        return Wakeups(self.connect(settings, 0, positional, named), settings.schema)


class Wakeups:
    """Wake-ups by LISTEN: `wait` blocks a greenlet of its own until a project needs to be looked at."""

    def __init__(self, connection: _LimitedConnection, schema: str) -> None:
        self._connection = connection
        self._connection.answer_seconds = _ANSWER_SECONDS
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"dialer:{schema}")))

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects to look at, as wake-ups for them come in, for `seconds`; '' stands for all projects."""
        self._connection.answer_seconds = seconds + _ANSWER_SECONDS
        for notification in self._connection.notifies(timeout=seconds):
            yield notification.payload
        # A half-open connection only looks silent, so ask.
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
