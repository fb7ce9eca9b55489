"""The worker as a running thing: its greenlets, and how it starts and stops.

First signal: claim nothing more, give back what was not dialled, write what calls have told, sign off, exit
0; conversations go on in Asterisk, and the next owner takes them over. Second signal: leave at once; what is
left behind is repaired by the next owner.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

import gevent
from gevent.event import Event

from worker.clock import Clock, SystemClock
from worker.config import Settings
from worker.db import Database, procedures
from worker.errors import DatabaseRefused, DatabaseUnavailable, DialerError
from worker.fleet import WAIT_SECONDS, Fleet
from worker.keeper import Keeper
from worker.session import Session

log = logging.getLogger(__name__)

COUNT_SECONDS = 15.0
REAP_SECONDS = 5.0
DRAIN_SECONDS = 3.0
"""For writing the last reports when stopping."""


class Service:
    """One worker. `clock` is the time that calls live in."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.database = Database(settings.database, known_server_only=True)
        self.keeper = Keeper(self.database, settings.worker)
        self._fleet = Fleet(settings, self.database, self.clock, self.keeper)
        self._stop = Event()
        self._ownerless = Event()
        """An Asterisk may have become free."""
        self._greenlets: list[gevent.Greenlet[[], None]] = []
        self._listener: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin in the background. Raises DatabaseNotAtHead, DatabaseRefused; a database that is away is waited for."""
        self._require_fit()
        self._greenlets = [gevent.spawn(run) for run in (self._keep, self._tidy)]
        self._listener = gevent.spawn(self._listen)

    def request_stop(self) -> None:
        """Ask for the end; harmless when asked twice or before the start."""
        self._stop.set()
        self._ownerless.set()

    def wait(self) -> None:
        """Until somebody asks for the end."""
        self._stop.wait()

    def close(self) -> None:
        """Give back, write the rest, sign off."""
        self.request_stop()
        deadline = gevent.Timeout.start_new(DRAIN_SECONDS)
        try:
            if self._listener is not None:
                self._listener.kill()  # its connection is its own, not the pool's
            gevent.joinall(self._greenlets)
            self._fleet.close()
            self.keeper.sign_off()
        except DatabaseUnavailable as error:
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
        said = False
        while not self._stop.is_set():
            try:
                self.database.require_fit()
                return
            except DatabaseRefused:
                raise
            except DatabaseUnavailable as error:
                if not said:
                    log.error("waiting for the database", extra={"action": "database_down", "why": str(error)})
                    said = True
                self._stop.wait(WAIT_SECONDS)

    # --- the loops ---------------------------------------------------------------------------------------

    def _keep(self) -> None:
        def turn() -> None:
            self._ownerless.clear()
            self._fleet.turn()

        self._every(self.keeper.beat_seconds, turn, self._ownerless)

    def _listen(self) -> None:
        """Pass the database's wake-ups on; after a lost connection everything is looked at."""
        while not self._stop.is_set():
            try:
                wakeups = self.database.wakeups()
            except DatabaseUnavailable:
                self._stop.wait(WAIT_SECONDS)
                continue
            try:
                self._fleet.wake()
                while not self._stop.is_set():
                    for project in wakeups.wait(self.settings.worker.poll_seconds):
                        self._fleet.wake(project, look_again=not project)
                        if not project:
                            self._ownerless.set()
            except self.database.connection_lost:
                log.info("wake-ups lost, listening again", extra={"action": "listen"})
                self._stop.wait(0.2)
            finally:
                wakeups.close()

    def _tidy(self) -> None:
        counted = 0.0

        def turn() -> None:
            nonlocal counted
            if procedures.reap(self.database):
                self._fleet.wake()
            if self.clock.monotonic() - counted < COUNT_SECONDS:
                return
            counted = self.clock.monotonic()
            for session in self.sessions():
                for item in procedures.work(self.database, session.name):
                    procedures.project_count(self.database, item.project_id, procedures.instant(self.clock))

        self._every(REAP_SECONDS, turn)

    def _every(self, seconds: float, turn: Callable[[], None], sooner: Event | None = None) -> None:
        """`turn` again and again until the stop, whatever it runs into; at once when `sooner` is set."""
        while not self._stop.is_set():
            try:
                turn()
            except DatabaseUnavailable as error:
                log.warning("the database is away", extra={"action": "database_down", "why": str(error)})
            except Exception:
                log.exception("tried again", extra={"action": "turn_failed"})
            (sooner or self._stop).wait(seconds)


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
