"""Reports what keeps one project, trunk or other thing from being served, to readers of the database and to the log.

Code that runs into a trouble only notes it here: that takes no time and cannot fail. A loop writes it to the database:
a new one at once, a lasting one again now and then, since a trouble that nobody repeats counts as over.
"""

from __future__ import annotations

import logging
from math import inf
from typing import NamedTuple

from gevent.event import Event
from sqlalchemy.exc import DBAPIError

from worker.backoff import Outage
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.instants import instant
from worker.db.routines.upkeep import Upkeep
from worker.errors import StatementTimedOut
from worker.model import Ownership

log = logging.getLogger(__name__)

TELL_AGAIN_SECONDS = 60.0
"""A lasting trouble is reported again after this; dialer_trouble_report forgets it after five minutes."""
SETTLED_SECONDS = 10.0
"""For the log, a trouble that comes back within this time was not over: one lock is one warning."""
RETRY_SECONDS = 5.0
"""Until a report that could not be written is tried again; and the least time between two reports of the same
trouble."""


class Trouble(NamedTuple):
    """kind: project, trunk, asterisk or worker; step: what does not work."""

    kind: str
    subject: str
    step: str


class Troubles:
    """The troubles of one Asterisk's projects, trunks and loops."""

    def __init__(self, database: Database, clock: Clock, owner: Ownership) -> None:
        self._upkeep = Upkeep(database)
        self._clock = clock
        self._owner = owner
        self._details: dict[Trouble, str] = {}
        self._due: dict[Trouble, float] = {}
        """When each is to be reported, or reported as over: an instant of monotonic()."""
        self._outages: dict[Trouble, Outage] = {}
        self._noted = Event()

    def note(self, kind: str, subject: str, step: str, detail: str | None, error: Exception | None = None) -> None:
        """Note that something does not work, as the sentence says; None: it works again. `error`: an unforeseen one,
        whose place in the code the log should show."""
        trouble = Trouble(kind, subject, step)
        if detail is None:
            if self._details.pop(trouble, None) is not None:
                self._tell_at(trouble, self._clock.monotonic())
            return
        known = self._details.get(trouble)
        self._details[trouble] = detail
        if known is None:
            if trouble not in self._outages:
                self._outages[trouble] = Outage(
                    log,
                    "trouble",
                    "trouble",
                    "trouble is over",
                    settled_seconds=SETTLED_SECONDS,
                    monotonic=self._clock.monotonic,
                )
            self._tell_at(trouble, self._clock.monotonic())
        elif known != detail:
            self._tell_at(trouble, min(self._due[trouble], self._clock.monotonic() + RETRY_SECONDS))
        self._outages[trouble].failed(detail, error, **trouble._asdict())

    def _tell_at(self, trouble: Trouble, instant: float) -> None:
        self._due[trouble] = instant
        self._noted.set()

    def turn(self) -> None:
        """Write what is due, then wait for more. Raises DatabaseUnavailable."""
        self._noted.clear()
        self.write()
        left = min(self._due.values(), default=inf) - self._clock.monotonic()
        if len(self._outages) > len(self._details):
            left = min(left, SETTLED_SECONDS)
        self._clock.wait(self._noted, max(0.0, left) if left < inf else None)

    def _settle(self) -> None:
        """Log which troubles have been over for long enough."""
        for trouble in [one for one in self._outages if one not in self._details]:
            self._outages[trouble].worked(**trouble._asdict())
            if not self._outages[trouble].lasts:
                del self._outages[trouble]

    def write(self) -> None:
        """Write what is due. Raises DatabaseUnavailable."""
        self._settle()
        now = self._clock.monotonic()
        for trouble in [one for one, due in self._due.items() if due <= now]:
            detail = self._details.get(trouble)
            try:
                self._upkeep.report_trouble(self._owner, *trouble, detail, instant(self._clock))
            except (StatementTimedOut, DBAPIError) as error:
                # Somebody has locked these very rows. The log has the trouble, too.
                log.debug("a trouble could not be written", extra={"action": "trouble_unwritten", "why": reason(error)})
                self._due[trouble] = now + RETRY_SECONDS
                continue
            if self._details.get(trouble) != detail:
                self._due[trouble] = now  # it has changed while it was written
            elif detail is None:
                del self._due[trouble]
            else:
                self._due[trouble] = now + TELL_AGAIN_SECONDS

    def stop(self) -> None:
        """End the wait of `turn`."""
        self._noted.set()
