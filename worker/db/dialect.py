"""What the two databases do differently, behind one interface; nothing else asks which of them it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from worker.config import MARIADB, POSTGRESQL, DatabaseSettings
from worker.db.mariadb import MariaDB
from worker.db.objects import SchemaObject
from worker.db.postgresql import PostgreSQL
from worker.errors import Mistake


class Wakeups(Protocol):
    """Wake-ups from the database, on a connection of its own."""

    def wait(self, seconds: float) -> Iterator[str]:
        """Projects to look at, as wake-ups for them come in, for `seconds`; '' stands for all projects.

        Raises one of Dialect.lost when the connection is lost.
        """

    def close(self) -> None:
        """Close the connection."""


class Dialect(Protocol):
    """One kind of database server."""

    name: str
    """SQLAlchemy's name for it; the folders under sql/ have the same names."""
    lost: tuple[type[Exception], ...]
    """The errors that a lost or refused connection raises outside SQLAlchemy."""

    def connect_args(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> dict[str, Any]:
        """Arguments of the driver's connect; 0: a statement may take as long as it likes."""

    def connect(
        self,
        settings: DatabaseSettings,
        statement_timeout_seconds: float,
        arguments: Sequence[Any],
        named: Mapping[str, Any],
    ) -> Any:
        """A connection of the driver's, for SQLAlchemy's do_connect event. Its session works in the dialer's schema, in
        UTC, at READ COMMITTED and with our time limits, whatever the defaults of server, database and role."""

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """The statement that calls a routine with named bind parameters."""

    def row(self, values: Sequence[str | int | None]) -> str:
        """A row as `load` takes it, which may be written ahead; none of the values has a NUL character."""

    def load(self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
        """Insert many rows in the fastest way that needs nothing of the server. Names of ours; rows as `row` writes
        them. Raises DBAPIError."""

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """The statements to execute so that the server gives up on `statement` after `seconds`; the last of them has
        the result."""

    def sqlstate(self, error: BaseException) -> str | None:
        """The SQLSTATE of an error that the driver raised, if the server gave one."""

    def is_retryable(self, error: BaseException) -> bool:
        """Was the transaction rolled back in favour of another, so that it may run again?"""

    def is_timeout(self, error: BaseException) -> bool:
        """Did the server give up on a statement because its time, or its time to wait for a lock, was over?"""

    def is_unavailable(self, error: BaseException) -> bool:
        """Does the error mean that the server does not answer, refuses us, or gave up on a statement?"""

    def is_refused(self, error: BaseException) -> bool:
        """Does the server refuse this user, and will go on doing so until somebody acts?"""

    def is_shared_session(self, error: BaseException) -> bool:
        """Is it an error that only comes up behind a pooler that shares sessions among clients?"""

    def is_broken(self, error: BaseException) -> bool:
        """Can a schema that is not as it should be cause it?"""

    def remedy(self, error: BaseException, settings: DatabaseSettings) -> str:
        """What to do about a migration that the server refused."""

    def is_schema_missing(self, error: BaseException) -> bool:
        """Did the server refuse a connection only because the schema has not been made yet?"""

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """Is there a table of that name in the dialer's schema?"""

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """Remove the schema with everything in it."""

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """An engine for migrations: the schema need not exist, and statements may take as long as they like."""

    def migrating(self, connection: Connection, schema: str) -> AbstractContextManager[None]:
        """Let only one migration at a time run on the whole server; the schema is made if it is not there."""

    def server_zone(self, connection: Connection) -> str:
        """The zone for the local times of cases that name no zone: the server's, as far as it can be found out."""

    def replacing(
        self, connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
    ) -> AbstractContextManager[None]:
        """Inside the block tables may be changed. After it exactly these routines, views and triggers are there, and no
        others of `ours` (kind and name). A DBA's grants on them stay, and so do a DBA's objects that depend on them."""

    def secure(self, connection: Connection, objects: Sequence[SchemaObject]) -> None:
        """Make sure that not everybody may call every routine."""

    def differing(self, connection: Connection, schema: str, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
        """Those that are missing in the schema, or differ from what they should be."""

    def unfit(
        self, connection: Connection, settings: DatabaseSettings, objects: Sequence[SchemaObject]
    ) -> Iterator[Mistake]:
        """What keeps the dialer from working with this server and schema, as far as one session can see."""

    def shares_sessions(self, settings: DatabaseSettings) -> bool:
        """Does a pooler give one client's session to another, during or after a transaction?"""

    def identities(self, connection: Connection, settings: DatabaseSettings) -> list[str]:
        """All names that this server and schema may go by: see worker/db/servers.py."""


_DIALECTS: dict[str, Dialect] = {POSTGRESQL: PostgreSQL(), MARIADB: MariaDB()}


def dialect_of(settings: DatabaseSettings) -> Dialect:
    """The dialect of the server that the settings name."""
    return _DIALECTS[settings.driver]


def named(name: str) -> Dialect:
    """The dialect with this SQLAlchemy name."""
    return next(dialect for dialect in _DIALECTS.values() if dialect.name == name)
