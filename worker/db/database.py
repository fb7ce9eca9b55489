"""Connections to the database, and what happens when it is not there.

SQLAlchemy's pool carries the connections; each unit of work is one transaction on one of them. Under gevent both
drivers give way to other greenlets while they wait (if they were imported after monkey.patch_all()).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.backoff import Outage
from worker.config import DatabaseSettings
from worker.db import servers
from worker.db.dialect import Wakeups, dialect_of
from worker.db.migration import VERSION_TABLE, head, knows, objects_at_head
from worker.errors import (
    DatabaseNotAtHead,
    DatabaseRefused,
    DatabaseUnavailable,
    DatabaseUnfit,
    LockTimedOut,
    Mistake,
    StatementTimedOut,
)

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
T = TypeVar("T")

_TRIES = 5
_FAULTS_SECONDS = 60.0
"""How long an answer of `faults` is reused: readiness is asked for every few seconds."""
_SUSPICION_SECONDS = 5.0
"""How long it is reused while something is wrong, or errors say so."""

POOLED = Mistake(
    "the pooler",
    "between the dialer and the database gives a session to others after each transaction or statement",
    "Let PgBouncer (or whatever it is) serve the dialer in session mode: pool_mode = session.",
)


@cache
def _outage_of(where: str) -> Outage:
    """Shared by all who use this database in this process, so that one outage is one line."""
    return Outage(log, "database_down", "waiting for the database", "the database is back")


class Database:
    """One database, as one kind of process uses it; safe for any number of greenlets.

    Its outages are logged here and nowhere else: code that meets a DatabaseUnavailable only waits.
    """

    def __init__(
        self, settings: DatabaseSettings, *, statement_timeout_seconds: float = 30, known_server_only: bool = False
    ) -> None:
        """`known_server_only`: refuse every connection to a server that dialer_servers does not list, since it may be a
        copy. For processes that begin calls."""
        self.where = settings.where()
        self.schema = settings.schema
        self.settings = settings
        self.dialect = dialect_of(settings)
        self.connection_lost = self.dialect.lost
        """What Wakeups.wait raises when its connection is gone."""
        self.retries = 0
        self._limit = statement_timeout_seconds
        self._outage = _outage_of(self.where)
        self._known_server_only = known_server_only
        self._faults: tuple[float, list[Mistake]] | None = None
        self._busy = 0
        self._lock = threading.Lock()
        self._engine = create_engine(
            settings.url(),
            **settings.pool(),
            connect_args=self.dialect.connect_args(settings, statement_timeout_seconds),
            # Each use is one transaction, ended by `transaction`; a ROLLBACK after it would be one more round trip.
            pool_reset_on_return=None,
            hide_parameters=True,  # in errors, which get into the log
        )
        event.listen(
            self._engine,
            "do_connect",
            lambda _d, _r, given, named: self.dialect.connect(settings, statement_timeout_seconds, given, named),
        )

    def dispose(self) -> None:
        """Close all pooled connections."""
        self._engine.dispose()

    def wakeups(self) -> Wakeups:
        """A connection of its own that waits for wake-ups. Raises DatabaseUnavailable."""
        try:
            return self.dialect.wakeups(self.settings)
        except self.dialect.lost as error:
            unavailable = DatabaseUnavailable(self.where, reason(error))
            self._outage.failed(str(unavailable))
            raise unavailable from error

    def busy(self) -> bool:
        """Is a transaction under way? A virtual clock stands still meanwhile."""
        return self._busy > 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        Raises DatabaseUnavailable when the server does not answer, refuses us, or the connection is lost;
        then it is unknown whether a commit under way took place. If somebody has to mend the cause, it is a
        DatabaseRefused.
        """
        try:
            with self._transaction() as connection:
                yield connection
        except DatabaseUnavailable as error:
            self._outage.failed(str(error), for_somebody=isinstance(error, DatabaseRefused))
            raise
        if self._outage.lasts:
            self._outage.worked()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._lock:
            self._busy += 1
        try:
            with self._engine.connect() as connection:
                try:
                    if self._known_server_only:
                        self._require_known(connection)
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
            self._interpret(error)
            raise
        finally:
            with self._lock:
                self._busy -= 1

    def run(self, work: Callable[[Connection], T], *, timeout_seconds: float | None = None) -> T:
        """Run `work` in a transaction, again if the database rolled it back in favour of another transaction.

        timeout_seconds: the limit that `work` has set for its statements. Raises StatementTimedOut when that limit, or
        the usual one, is over; LockTimedOut, a kind of it, when a lock could not be had in any try (with a limit: in
        the first). Neither says that anything is wrong with the database: it answers.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                with self.transaction() as connection:
                    return work(connection)
            except DBAPIError as error:
                found = cause(error)
                last = attempt == _TRIES or timeout_seconds is not None
                if self.dialect.is_timeout(found):
                    if not self.dialect.is_retryable(found):
                        raise StatementTimedOut(self.where, timeout_seconds or self._limit, reason(error)) from error
                    if last:
                        raise LockTimedOut(self.where, timeout_seconds, reason(error)) from error
                if attempt == _TRIES or not self.dialect.is_retryable(found):
                    raise
                self.retries += 1
                log.info("transaction rolled back, tried again", extra={"action": "retry", "try": attempt})
        raise AssertionError("unreachable")

    def call(self, routine: str, *arguments: object, timeout_seconds: float | None = None) -> list[Row]:
        """Call a routine and return its result as mappings. Arguments in the order of its parameters.

        timeout_seconds: the server gives up sooner than usual, waiting for locks included; that raises
        StatementTimedOut.
        """
        names = [f"p{index}" for index in range(len(arguments))]
        values = dict(zip(names, arguments, strict=True))
        return self._ask(self.dialect.call(routine, names), values, timeout_seconds)

    def value(self, routine: str, *arguments: object, timeout_seconds: float | None = None) -> Any:
        """Call a routine that returns one value. timeout_seconds: as in `call`."""
        rows = self.call(routine, *arguments, timeout_seconds=timeout_seconds)
        return next(iter(rows[0].values())) if rows else None

    def query(self, statement: str, /, *, timeout_seconds: float | None = None, **values: object) -> list[Row]:
        """Read from a view; the statement is a constant, the values are bound. timeout_seconds: as in `call`."""
        return self._ask(statement, values, timeout_seconds)

    def _ask(self, statement: str, values: Mapping[str, object], timeout_seconds: float | None) -> list[Row]:
        limited = (statement,) if timeout_seconds is None else self.dialect.limited(statement, timeout_seconds)
        *before, last = map(text, limited)

        def work(connection: Connection) -> list[Row]:
            for one in before:
                connection.execute(one)
            result = connection.execute(last, values)
            # A procedure that only writes has no result, not even an empty one.
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        return self.run(work, timeout_seconds=timeout_seconds)

    def revision(self) -> str | None:
        """The revision of the schema; None when nothing is installed."""

        try:
            return self.run(self._revision)
        except DatabaseUnavailable as error:
            if error.__cause__ is not None and self.dialect.is_schema_missing(cause(error.__cause__)):
                return None
            raise

    def _revision(self, connection: Connection) -> str | None:
        if not self.dialect.version_table(connection, self.schema, VERSION_TABLE):
            return None
        value = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
        return None if value is None else str(value)

    def require_head(self) -> None:
        """Raise DatabaseNotAtHead unless the schema is the one that this program was written for."""
        revision = self.revision()
        if revision != head():
            newer = revision is not None and not knows(revision)
            raise DatabaseNotAtHead(self.where, revision, head(), newer=newer)

    def require_fit(self) -> None:
        """Raise DatabaseNotAtHead or DatabaseUnfit unless the dialer can work with this schema and server."""
        self.require_head()
        if faults := self.faults():
            raise DatabaseUnfit(self.where, faults)

    def faults(self, seconds: float = _FAULTS_SECONDS) -> list[Mistake]:
        """What keeps the dialer from working with a database at head, and what to do about it; nothing for a database
        that is not at head. The answer is at most `seconds` old. Raises DatabaseUnavailable."""
        now = time.monotonic()
        since, found = self._faults or (-math.inf, [])
        # If something is wrong, look again soon: somebody may be mending it.
        if since < now - min(seconds, _SUSPICION_SECONDS if found else seconds):
            found = self._look_for_faults()
            self._faults = now, found
        return found

    def _look_for_faults(self) -> list[Mistake]:
        try:
            if self.dialect.shares_sessions(self.settings):
                return [POOLED]
            with self._engine.connect() as connection, connection.begin():
                if self._revision(connection) != head():
                    return []
                found = list(self.dialect.unfit(connection, self.settings, objects_at_head(self.dialect.name)))
            with self._engine.connect() as connection, connection.begin():
                unknown = servers.unknown(connection, self.dialect, self.settings)
        except DBAPIError as error:
            raise DatabaseUnavailable(self.where, reason(error)) from error
        except PoolTimeout as error:
            raise DatabaseUnavailable(self.where, reason(error)) from error
        except self.dialect.lost as error:
            raise DatabaseUnavailable(self.where, reason(error)) from error
        return [*found, unknown] if unknown else found

    def _require_known(self, connection: Connection) -> None:
        if "known" in connection.info:
            return
        with connection.begin():
            if not self.dialect.version_table(connection, self.schema, servers.TABLE):
                return
            unknown = servers.unknown(connection, self.dialect, self.settings)
        if unknown:
            raise DatabaseUnfit(self.where, [unknown])
        connection.info["known"] = True

    def _interpret(self, error: DBAPIError) -> None:
        """Raise what the error means, unless it concerns only the caller that caused it."""
        found = cause(error)
        if self.dialect.is_timeout(found) and not error.connection_invalidated:
            return
        if self.dialect.is_refused(found):
            remedy = "Correct Username and Password in [database], or the user's rights on the server."
            raise DatabaseRefused(self.where, reason(error), remedy) from error
        if self.dialect.is_shared_session(found):
            raise DatabaseUnfit(self.where, [POOLED]) from error
        if error.connection_invalidated or self.dialect.is_unavailable(found):
            raise DatabaseUnavailable(self.where, reason(error)) from error
        if self.dialect.is_broken(found):
            # A DBA's own trigger may fail in the same way: that is the trouble of one row, not of the database.
            faults: list[Mistake] = []
            with suppress(DatabaseUnavailable):
                faults = self.faults(_SUSPICION_SECONDS)
            if faults:
                raise DatabaseUnfit(self.where, faults) from error


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
