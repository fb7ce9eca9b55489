"""Time: the database's own, or on a virtual clock the time that routines are given instead."""

from __future__ import annotations

from datetime import UTC, datetime

from worker.clock import Clock, SystemClock
from worker.db.routines.base import Routines


def instant(clock: Clock) -> datetime | None:
    """The p_now of a routine: None, for the database's own time; on a virtual clock that clock's time."""
    return None if isinstance(clock, SystemClock) else datetime.fromtimestamp(clock.time(), UTC)


class DatabaseClock(Routines):
    """The database's clock, by which everything in the ledger is dated."""

    def now(self) -> datetime:
        """The time, with its zone."""
        found: datetime = self._database.query("SELECT dialer_now() AS instant")[0]["instant"]
        return found
