"""Greenlets that live as long as what they serve: an unforeseen error ends one of their turns, never the greenlet.

Nothing else in the dialer spawns greenlets, since nobody would notice one that died of an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from worker.backoff import Backoff, Outage
from worker.clock import Clock, SystemClock
from worker.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.1
MOST_SECONDS = 5.0
"""From a failed turn to the next. Doubles from the first value to the second."""
AWAY_SECONDS = 1.0
"""How long before a database that did not answer is asked again."""
LINGER_SECONDS = 0.1
"""How long a loop waits for an errand before it goes on with the rest, by the machine's time."""
TELL_AFTER = 3
"""Failed turns in a row after which readers of the database are told, too."""

Tell = Callable[[str, str | None], None]
"""Called with a loop's name and a sentence about what it ran into, or None: that is over."""


class Supervisor:
    """The loops of one part of the dialer; `stopped` ends them all, each after its turn."""

    def __init__(self, stopped: Event, *, clock: Clock | None = None, tell: Tell | None = None) -> None:
        """`clock`: the time by which a loop waits after a failed turn."""
        self._stopped = stopped
        self._clock = clock or SystemClock()
        self._tell = tell
        self._loops: list[gevent.Greenlet[..., None]] = []

    def keep(self, name: str, turn: Callable[[], object]) -> gevent.Greenlet[..., None]:
        """Do `turn` again and again until the stop; each turn waits by itself for its time."""
        loop = gevent.spawn(self._run, name, turn)
        self._loops.append(loop)
        return loop

    def join(self) -> None:
        """Wait until all loops have ended."""
        gevent.joinall(self._loops)
        self._loops = []

    def _run(self, name: str, turn: Callable[[], object]) -> None:
        backoff = Backoff(FIRST_SECONDS, MOST_SECONDS)
        outage = Outage(log, "turn_failed", f"{name}: a turn failed", f"{name} works again", settled_seconds=0)
        while not self._stopped.is_set():
            try:
                turn()
            except DatabaseUnavailable:
                self._clock.wait(self._stopped, AWAY_SECONDS)  # Database has logged it
            except Exception as error:
                outage.failed(str(error), error)
                delay = backoff.failed(self._clock.monotonic())
                if backoff.failures == TELL_AFTER:
                    self._say(name, f"{type(error).__name__}: {error}")
                self._clock.wait(self._stopped, delay)
            else:
                outage.worked()
                if backoff.failures >= TELL_AFTER:
                    self._say(name, None)
                backoff.over()

    def _say(self, name: str, trouble: str | None) -> None:
        if self._tell is None:
            return
        try:
            self._tell(name, trouble)
        except Exception:
            log.exception("a trouble could not be told", extra={"action": "tell_failed"})


def errand(work: Callable[..., object], *arguments: Any) -> gevent.Greenlet[..., None]:
    """Run something beside its caller that ends soon, or with what it serves; an error becomes a line of the log."""

    def run() -> None:
        try:
            work(*arguments)
        except Exception:
            log.exception("an errand failed", extra={"action": "errand_failed"})

    return gevent.spawn(run)


def later(seconds: float, work: Callable[[], object]) -> None:
    """Run `work`, which must be short, after `seconds` of the machine's time."""
    gevent.spawn_later(seconds, work)
