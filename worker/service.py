"""The worker as a running thing: its greenlets, and how it starts and stops.

First signal: claim nothing more, give back what was not dialled, write the calls' reports, sign off, exit 0;
conversations go on in Asterisk, and the next owner takes them over. Second signal: leave at once; the next owner
repairs what is left behind.
"""

from __future__ import annotations

import logging
import signal

import gevent
from gevent.event import Event
from sqlalchemy.exc import DBAPIError

from worker.asterisk.session import Session
from worker.clock import Clock, SystemClock
from worker.config import Settings
from worker.db import Database
from worker.db.database import reason
from worker.db.dialect import Wakeups
from worker.db.routines.cases import Cases
from worker.db.routines.instants import instant
from worker.db.routines.projects import Projects
from worker.db.routines.upkeep import Upkeep
from worker.errors import DatabaseRefused, DatabaseUnavailable, DialerError
from worker.owners.fleet import Fleet
from worker.owners.keeper import Keeper
from worker.supervisor import AWAY_SECONDS, Supervisor

log = logging.getLogger(__name__)

COUNT_SECONDS = 15.0
REAP_SECONDS = 5.0
SCREEN_SECONDS = 5.0
SCREENED = 2000
"""Cases at once: a tenth of a second."""
DRAIN_SECONDS = 3.0
"""For writing the last reports when stopping."""


class Service:
    """One worker. `clock` is the calls' time."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.database = Database(settings.database, known_server_only=True)
        self._upkeep = Upkeep(self.database)
        self._projects = Projects(self.database)
        self._cases = Cases(self.database)
        self.keeper = Keeper(self.database, settings.worker)
        self._fleet = Fleet(settings, self.database, self.clock, self.keeper)
        self._stop = Event()
        self._ownerless = Event()
        """An Asterisk may have become free."""
        self._rules_changed = Event()
        self._loops = Supervisor(self._stop, tell=self._tell)
        self._listener: gevent.Greenlet[..., None] | None = None
        self._wakeups: Wakeups | None = None
        self._counted = 0.0

    def start(self) -> None:
        """Begin in the background. Raises DatabaseNotAtHead, DatabaseRefused; if the database is away, it waits."""
        self._require_fit()
        self._loops.keep("lease", self._keep)
        self._loops.keep("upkeep", self._tidy)
        self._loops.keep("screening", self._screen)
        self._listener = self._loops.keep("wake-ups", self._listen)

    def request_stop(self) -> None:
        """Ask it to stop; harmless when asked twice or before the start."""
        self._stop.set()
        self._ownerless.set()
        self._rules_changed.set()

    def wait(self) -> None:
        """Return when it has been asked to stop."""
        self._stop.wait()

    def close(self) -> None:
        """Give back cases, write the rest, sign off."""
        self.request_stop()
        deadline = gevent.Timeout.start_new(DRAIN_SECONDS)
        try:
            if self._listener is not None:
                self._listener.kill()  # its connection is its own, not the pool's
            self._loops.join()
            self._fleet.close()
            self.keeper.sign_off()
        except (DialerError, DBAPIError) as error:
            log.error("the lease runs out by itself", extra={"action": "stop", "why": str(error)})
        except gevent.Timeout as error:
            if error is not deadline:
                raise
            log.error("stopped with reports unwritten", extra={"action": "stop"})
        finally:
            deadline.cancel()
            self.database.dispose()

    def sessions(self) -> list[Session]:
        """The Asterisks in hand."""
        return self._fleet.sessions()

    # --- lease and ownership -----------------------------------------------------------------------------

    def _require_fit(self) -> None:
        while not self._stop.is_set():
            try:
                self.database.require_fit()
                return
            except DatabaseRefused:
                raise
            except DatabaseUnavailable:
                self._stop.wait(AWAY_SECONDS)  # Database has logged it

    # --- the loops ---------------------------------------------------------------------------------------

    def _keep(self) -> None:
        self._ownerless.clear()
        self._fleet.turn()
        self._ownerless.wait(self.keeper.beat_seconds)

    def _listen(self) -> None:
        """Pass on the database's wake-ups; after a lost connection, have everything looked at."""
        wakeups = self._wakeups
        if wakeups is None:
            wakeups = self._wakeups = self.database.wakeups()
            self._fleet.wake()
        try:
            for project in wakeups.wait(self.settings.worker.poll_seconds):
                self._fleet.wake(project, look_again=not project)
                if not project:
                    self._ownerless.set()
                    self._rules_changed.set()
        except BaseException as error:
            # Nobody knows what its connection is in the middle of.
            self._wakeups = None
            wakeups.close()
            if not isinstance(error, self.database.connection_lost):
                raise
            log.info("wake-ups lost, listening again", extra={"action": "listen"})
            self._stop.wait(0.2)

    def _tidy(self) -> None:
        if self._upkeep.reap():
            self._fleet.wake()
        if self.clock.monotonic() - self._counted >= COUNT_SECONDS:
            self._counted = self.clock.monotonic()
            for session in self.sessions():
                self._count(session)
        self._stop.wait(REAP_SECONDS)

    def _screen(self) -> None:
        """Look at cases ahead of the claims, until all have been looked at since rules last changed."""
        self._rules_changed.clear()
        if not self._cases.screen(SCREENED, instant(self.clock)):
            self._rules_changed.wait(SCREEN_SECONDS)

    def _count(self, session: Session) -> None:
        for item in self._projects.work(session.name):
            trouble = None
            try:
                self._projects.count_waiting(item.project_id, instant(self.clock))
            except DBAPIError as error:
                trouble = f"the waiting cases of project {item.project_id} cannot be counted: {reason(error)}"
            session.troubles.note("asterisk", session.name, f"count {item.project_id}", trouble)

    def _tell(self, step: str, trouble: str | None) -> None:
        self._fleet.tell("worker", self.settings.worker.name, step, trouble)


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; the exit code."""
    service = Service(settings)
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            log.error("left at once", extra={"action": "stop"})
            raise SystemExit(1)
        service.request_stop()

    handlers = [gevent.signal_handler(number, stop) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        service.start()
        service.wait()
    except DialerError:
        service.request_stop()
        raise
    finally:
        service.close()
        for handler in handlers:
            handler.cancel()
    return 0
