"""Connections to the database, and what happens when it is not there.

SQLAlchemy's pool carries the connections; each unit of work is one transaction on one of them. Under gevent both
drivers give way to other greenlets while they wait (if they were imported after monkey.patch_all()).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.config import DatabaseSettings
from worker.db.dialect import Wakeups, dialect_of
from worker.db.migration import VERSION_TABLE, head, knows
from worker.errors import DatabaseNotAtHead, DatabaseUnavailable, StatementTimedOut

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
T = TypeVar("T")

_TRIES = 5


class Database:
    """One database, as one kind of process uses it; safe for any number of greenlets."""

    def __init__(self, settings: DatabaseSettings, *, statement_timeout_seconds: float = 30) -> None:
        self.where = settings.where()
        self.schema = settings.schema
        self.settings = settings
        self.dialect = dialect_of(settings)
        self.connection_lost = self.dialect.lost
        """What Wakeups.wait raises when its connection is gone."""
        self.retries = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._engine = create_engine(
            settings.url(),
            **settings.pool(),
            connect_args=self.dialect.connect_args(settings, statement_timeout_seconds),
            isolation_level="READ COMMITTED",
            # Each use is one transaction, ended by `transaction`: another ROLLBACK at its end would be a question more.
            pool_reset_on_return=None,
        )
        event.listen(self._engine, "do_connect", lambda _d, _r, given, named: self.dialect.connect(given, named))
        event.listen(self._engine, "connect", self.dialect.prepare(settings, statement_timeout_seconds))

    def dispose(self) -> None:
        """Close all pooled connections."""
        self._engine.dispose()

    def wakeups(self) -> Wakeups:
        """A connection of its own that waits for wake-ups. Raises DatabaseUnavailable."""
        try:
            return self.dialect.wakeups(self.settings)
        except self.dialect.lost as error:
            raise DatabaseUnavailable(self.where, reason(error)) from error

    def busy(self) -> bool:
        """Is a transaction under way? A virtual clock stands still meanwhile."""
        return self._busy > 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        Raises DatabaseUnavailable when the server does not answer, refuses us, or the connection is lost;
        then it is unknown whether a commit under way took place.
        """
        with self._lock:
            self._busy += 1
        try:
            with self._engine.connect() as connection:
                try:
                    with connection.begin():
                        yield connection
                except Exception:
                    raise
                except BaseException:
                    # A greenlet that is killed or timed out inside a query leaves the connection in the middle
                    # of it; in the pool it would fail somebody else.
                    connection.invalidate()
                    raise
        except PoolTimeout as error:
            raise DatabaseUnavailable(self.where, reason(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated or self.dialect.is_unavailable(cause(error)):
                raise DatabaseUnavailable(self.where, reason(error)) from error
            raise
        finally:
            with self._lock:
                self._busy -= 1

    def run(self, work: Callable[[Connection], T], *, timeout_seconds: float | None = None) -> T:
        """`work` in a transaction, again when the database rolled it back for another transaction's sake.

        timeout_seconds: what `work` has told the server as the limit of its statements. Raises StatementTimedOut when
        that is over, or a lock is not to be had; without a limit, that is a DatabaseUnavailable like others.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except DatabaseUnavailable as error:
                said = error.__cause__
                if timeout_seconds is None or said is None or not self.dialect.is_timeout(cause(said)):
                    raise
                raise StatementTimedOut(self.where, timeout_seconds, reason(said)) from said
            except DBAPIError as error:
                timed_out = self.dialect.is_timeout(cause(error))
                if timed_out and timeout_seconds is not None:
                    raise StatementTimedOut(self.where, timeout_seconds, reason(error)) from error
                if timed_out and attempt == _TRIES:
                    raise DatabaseUnavailable(self.where, reason(error)) from error
                if attempt == _TRIES or not self.dialect.is_retryable(cause(error)):
                    raise
                self.retries += 1
                log.info("transaction rolled back, tried again", extra={"action": "retry", "try": attempt})
        raise AssertionError("unreachable")

    def call(self, routine: str, *arguments: object, timeout_seconds: float | None = None) -> list[Row]:
        """Call a routine; its result as mappings. Arguments in the order of its parameters.

        timeout_seconds: the server gives up on it sooner than usual, waiting for locks included. Raises
        StatementTimedOut then.
        """
        names = [f"p{index}" for index in range(len(arguments))]
        call = self.dialect.call(routine, names)
        statements = (call,) if timeout_seconds is None else self.dialect.limited(call, timeout_seconds)
        *before, statement = map(text, statements)
        values = dict(zip(names, arguments, strict=True))

        def work(connection: Connection) -> list[Row]:
            for one in before:
                connection.execute(one)
            result = connection.execute(statement, values)
            # A procedure that only writes has no result, not even an empty one.
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        return self.run(work, timeout_seconds=timeout_seconds)

    def value(self, routine: str, *arguments: object) -> Any:
        """Call a routine that returns one value."""
        rows = self.call(routine, *arguments)
        return next(iter(rows[0].values())) if rows else None

    def query(self, statement: str, /, **values: object) -> list[Row]:
        """Read from a view; the statement is ours, the values are bound."""

        def work(connection: Connection) -> list[Row]:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

        return self.run(work)

    def revision(self) -> str | None:
        """The revision that the schema is at; None when nothing is installed."""

        def work(connection: Connection) -> str | None:
            if not self.dialect.version_table(connection, self.schema, VERSION_TABLE):
                return None
            value = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
            return None if value is None else str(value)

        try:
            return self.run(work)
        except DatabaseUnavailable as error:
            if error.__cause__ is not None and self.dialect.is_schema_missing(cause(error.__cause__)):
                return None
            raise

    def require_head(self) -> None:
        """Raise DatabaseNotAtHead unless the schema is the one that this program was written for."""
        revision = self.revision()
        if revision != head():
            newer = revision is not None and not knows(revision)
            raise DatabaseNotAtHead(self.where, revision, head(), newer=newer)


def cause(error: BaseException) -> BaseException:
    """The driver's own error, if SQLAlchemy wrapped one."""
    found = getattr(error, "orig", None)
    return found if isinstance(found, BaseException) else error


def reason(error: BaseException) -> str:
    """The first line of what the server said, or the driver."""
    found = cause(error)
    # PyMySQL's errors are pairs of a number and a text.
    said = str(found.args[-1] if len(found.args) > 1 else found).strip()
    return said.splitlines()[0] if said else type(error).__name__
