"""The worker as a running thing: its greenlets, and how it starts and stops.

First signal: claim nothing more, give back what was not dialled, write what calls have told, sign off, exit
0; conversations go on in Asterisk, and the next owner takes them over. Second signal: leave at once; what is
left behind is repaired by the next owner.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import Event

from worker.clock import Clock, SystemClock
from worker.config import Settings
from worker.db import Database, procedures
from worker.dialer import SOON_SECONDS, Dialer
from worker.errors import DatabaseUnavailable, DialerError
from worker.keeper import Keeper
from worker.model import Ownership
from worker.session import Session

log = logging.getLogger(__name__)

COUNT_SECONDS = 15.0
REAP_SECONDS = 5.0
WAIT_SECONDS = 1.0
"""Before the database is asked again that did not answer."""
DRAIN_SECONDS = 3.0
"""For writing the last reports when stopping."""
DEFAULT_TEMPLATE = "PJSIP/{number}@carrier"
"""Of the trunk 'default' that the first start makes; the docker/ configuration names its endpoint so."""


@dataclass
class _Owned:
    session: Session
    dialer: Dialer
    loop: gevent.Greenlet[[Session, Dialer], None]


class Service:
    """One worker. `clock` is the time that calls live in."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.database = Database(settings.database)
        self.keeper = Keeper(self.database, settings.worker)
        self._owned: dict[str, _Owned] = {}
        self._stop = Event()
        self._greenlets: list[gevent.Greenlet[[], None]] = []
        self._listener: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin in the background. Raises DatabaseNotAtHead; a database that is away is waited for."""
        self._require_head()
        self._greenlets = [gevent.spawn(run) for run in (self._keep, self._tidy)]
        self._listener = gevent.spawn(self._listen)

    def request_stop(self) -> None:
        """Ask for the end; harmless when asked twice or before the start."""
        self._stop.set()

    def wait(self) -> None:
        """Until somebody asks for the end."""
        self._stop.wait()

    def close(self) -> None:
        """Give back, write the rest, sign off."""
        self._stop.set()
        deadline = gevent.Timeout.start_new(DRAIN_SECONDS)
        try:
            if self._listener is not None:
                self._listener.kill()  # its connection is its own, not the pool's
            gevent.joinall(self._greenlets)
            for name in list(self._owned):
                self._let_go(name, write=True)
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
        return [owned.session for owned in self._owned.values()]

    # --- lease and ownership -----------------------------------------------------------------------------

    def _require_head(self) -> None:
        said = False
        while not self._stop.is_set():
            try:
                self.database.require_head()
                return
            except DatabaseUnavailable as error:
                if not said:
                    log.error("waiting for the database", extra={"action": "database_down", "why": str(error)})
                    said = True
                self._stop.wait(WAIT_SECONDS)

    def _keep(self) -> None:
        unsure = False

        def turn() -> None:
            nonlocal unsure
            unsure = self.keeper.beat() or unsure  # until all are confirmed, also when the database goes away
            for settings in self.settings.asterisks:
                owned = self._owned.get(settings.name)
                if owned is not None and not unsure and not owned.session.ledger.disowned:
                    continue
                owner = self.keeper.own(settings.name)
                if owned is not None and (owner != owned.session.owner or owned.session.ledger.disowned):
                    self._let_go(settings.name, write=False)
                if owner is not None and settings.name not in self._owned:
                    self._take(settings.name, owner)
            unsure = False

        self._every(self.keeper.beat_seconds, turn)

    def _take(self, name: str, owner: Ownership) -> None:
        settings = next(one for one in self.settings.asterisks if one.name == name)
        procedures.trunk_ensure(self.database, name, DEFAULT_TEMPLATE)
        log.info("owner of Asterisk", extra={"action": "own", "asterisk": name, "epoch": owner.epoch})
        session = Session(settings, self.database, self.clock, owner, f"d{owner.worker_id}")
        dialer = Dialer(session, self.database, self.clock, self.keeper.may_dial, self.settings.worker.poll_seconds)
        session.start()
        self._owned[name] = _Owned(session, dialer, gevent.spawn(self._dial, session, dialer))

    def _let_go(self, name: str, *, write: bool) -> None:
        owned = self._owned.pop(name)
        owned.session.stop()
        owned.loop.join()
        if write:
            owned.dialer.give_back()
            owned.session.ledger.flush()
        else:
            log.warning("no longer owner of Asterisk", extra={"action": "disowned", "asterisk": name})

    # --- the loops ---------------------------------------------------------------------------------------

    def _dial(self, session: Session, dialer: Dialer) -> None:
        while not session.stopped.is_set() and not self._stop.is_set():
            session.wake.clear()
            begun = self.clock.monotonic()
            try:
                wait = dialer.turn()
            except DatabaseUnavailable as error:
                log.warning("dialling waits for the database", extra={"action": "database_down", "why": str(error)})
                wait = WAIT_SECONDS
            except Exception:
                # One bad row or a fault of ours must not stop the day: it is said, and tried again.
                log.exception("a turn failed", extra={"action": "turn_failed", "asterisk": session.name})
                wait = WAIT_SECONDS
            self.clock.wait(session.wake, wait)
            self.clock.sleep(begun + SOON_SECONDS - self.clock.monotonic())

    def _listen(self) -> None:
        """Pass the database's wake-ups on; after a lost connection everything is looked at."""
        while not self._stop.is_set():
            try:
                wakeups = self.database.wakeups()
            except DatabaseUnavailable:
                self._stop.wait(WAIT_SECONDS)
                continue
            try:
                self._wake_all()
                while not self._stop.is_set():
                    for project in wakeups.wait(self.settings.worker.poll_seconds):
                        self._wake_all(look_again=not project)
            except self.database.connection_lost:
                log.info("wake-ups lost, listening again", extra={"action": "listen"})
                self._stop.wait(0.2)
            finally:
                wakeups.close()

    def _wake_all(self, *, look_again: bool = False) -> None:
        for session in self.sessions():
            session.look_again = session.look_again or look_again
            session.wake.set()

    def _tidy(self) -> None:
        counted = 0.0

        def turn() -> None:
            nonlocal counted
            if procedures.reap(self.database):
                self._wake_all()
            if self.clock.monotonic() - counted < COUNT_SECONDS:
                return
            counted = self.clock.monotonic()
            for session in self.sessions():
                for item in procedures.work(self.database, session.name):
                    procedures.project_count(self.database, item.project_id, procedures.instant(self.clock))

        self._every(REAP_SECONDS, turn)

    def _every(self, seconds: float, turn: Callable[[], None]) -> None:
        """`turn` again and again until the stop, whatever it runs into."""
        while not self._stop.is_set():
            try:
                turn()
            except DatabaseUnavailable as error:
                log.warning("the database is away", extra={"action": "database_down", "why": str(error)})
            except Exception:
                log.exception("tried again", extra={"action": "turn_failed"})
            self._stop.wait(seconds)


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
