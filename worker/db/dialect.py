"""What the two databases do each in its own way, behind one shape; nothing else asks which of them it is."""

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
        """Projects that were woken, as they come, for `seconds`; '' stands for all of them.

        Raises one of Dialect.lost when the connection is lost.
        """

    def close(self) -> None:
        """Give the connection up."""


class Dialect(Protocol):
    """One kind of database server."""

    name: str
    """As SQLAlchemy calls it; the folders under sql/ are named so."""
    lost: tuple[type[Exception], ...]
    """What a lost or refused connection raises outside SQLAlchemy."""

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
        UTC, reading what is committed, with our limits of time, whatever the defaults of server, database and role."""

    def call(self, routine: str, parameters: Sequence[str]) -> str:
        """The statement that calls a routine with named bind parameters."""

    def limited(self, statement: str, seconds: float) -> tuple[str, ...]:
        """What to execute so that the server gives up on `statement` after so many seconds; the last has its result."""

    def sqlstate(self, error: BaseException) -> str | None:
        """The SQLSTATE of an error that the driver raised, if the server gave one."""

    def is_retryable(self, error: BaseException) -> bool:
        """Was the transaction rolled back for another's sake, so that it may run again?"""

    def is_timeout(self, error: BaseException) -> bool:
        """Did the server give up on a statement because its time was over, or that for a lock?"""

    def is_unavailable(self, error: BaseException) -> bool:
        """Does the error mean that the server does not answer, refuses us, or gave up on a statement?"""

    def is_refused(self, error: BaseException) -> bool:
        """Does the server not let this user in, and will not by itself?"""

    def is_shared_session(self, error: BaseException) -> bool:
        """Is it an error that only a pooler makes which gives sessions to others?"""

    def is_broken(self, error: BaseException) -> bool:
        """May it come of a schema that is not as it should be?"""

    def remedy(self, error: BaseException, settings: DatabaseSettings) -> str:
        """What to do about the refusal of a migration."""

    def is_schema_missing(self, error: BaseException) -> bool:
        """Did the server refuse a connection only because the schema has not been made yet?"""

    def version_table(self, connection: Connection, schema: str, name: str) -> bool:
        """Is there a table of that name in the dialer's schema?"""

    def wakeups(self, settings: DatabaseSettings) -> Wakeups:
        """Listen for wake-ups from here on. Raises one of `lost`."""

    def drop_schema(self, connection: Connection, schema: str) -> None:
        """Remove the schema and all that is in it."""

    def migration_engine(self, settings: DatabaseSettings) -> Engine:
        """For migrations: the schema need not exist, statements may take as long as they like."""

    def migrating(self, connection: Connection, schema: str) -> AbstractContextManager[None]:
        """One migration at a time over the whole server, in the schema, which is made if it is not there."""

    def server_zone(self, connection: Connection) -> str:
        """The zone that local times of cases mean which name none: the server's, as it can be found out."""

    def replacing(
        self, connection: Connection, ours: Collection[tuple[str, str]], objects: Sequence[SchemaObject]
    ) -> AbstractContextManager[None]:
        """Behind the block these routines, views and triggers stand, and of `ours` (kind and name) no other. In it
        tables may be changed. What a DBA has granted on them stays, and so does what of his hangs on them."""

    def secure(self, connection: Connection, objects: Sequence[SchemaObject]) -> None:
        """See to it that not everybody may call every routine."""

    def differing(self, connection: Connection, schema: str, objects: Sequence[SchemaObject]) -> list[SchemaObject]:
        """Those that the schema has not, or not as they should be."""

    def unfit(
        self, connection: Connection, settings: DatabaseSettings, objects: Sequence[SchemaObject]
    ) -> Iterator[Mistake]:
        """What keeps the dialer from working with this server and schema, as far as one session can see."""

    def shares_sessions(self, settings: DatabaseSettings) -> bool:
        """Does a pooler give the session of one client to another, in or after a transaction?"""

    def identities(self, connection: Connection, settings: DatabaseSettings) -> list[str]:
        """Which server and schema this is, by all the names that it may go by: see worker/db/servers.py."""


_DIALECTS: dict[str, Dialect] = {POSTGRESQL: PostgreSQL(), MARIADB: MariaDB()}


def dialect_of(settings: DatabaseSettings) -> Dialect:
    """The dialect of the server that the settings name."""
    return _DIALECTS[settings.driver]


def named(name: str) -> Dialect:
    """The dialect that SQLAlchemy calls so."""
    return next(dialect for dialect in _DIALECTS.values() if dialect.name == name)
