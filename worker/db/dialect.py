"""What the two databases do each in its own way, behind one shape; nothing else asks which of them it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from worker.config import MARIADB, POSTGRESQL, DatabaseSettings
from worker.db.mariadb import MariaDB
from worker.db.postgresql import PostgreSQL


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

    def connect(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any | None:
        """A connection of the driver's, for SQLAlchemy's do_connect event; None: as SQLAlchemy makes it."""

    def prepare(self, settings: DatabaseSettings, statement_timeout_seconds: float) -> Callable[[Any, object], None]:
        """A listener for SQLAlchemy's connect event: every session works in the dialer's schema and in UTC."""

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


_DIALECTS: dict[str, Dialect] = {POSTGRESQL: PostgreSQL(), MARIADB: MariaDB()}


def dialect_of(settings: DatabaseSettings) -> Dialect:
    """The dialect of the server that the settings name."""
    return _DIALECTS[settings.driver]
