"""The one source of time in the worker: real, or virtual for simulated days.

Two kinds of time exist. The *clock* is the time that calls live in: instants in the ledger, ring times,
patience, wrap-up. Leases and the timers of a network link are about this machine and use the machine's own
time directly; on a virtual clock they must not run faster than the machine.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.event import Event


class Clock(Protocol):
    """Time as calls see it."""

    def time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for `seconds` of this clock."""
        ...

    def wait(self, event: Event, timeout: float | None) -> bool:
        """Wait until `event` is set (True) or `timeout` seconds of this clock have passed (False)."""
        ...


class SystemClock:
    """The machine's time."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        gevent.sleep(max(0.0, seconds))

    def wait(self, event: Event, timeout: float | None) -> bool:
        return bool(event.wait(timeout))


class _Alarm:
    """One greenlet's wait, ended by its event or by the time, whichever comes first."""

    __slots__ = ("bell", "by_event", "over")

    def __init__(self) -> None:
        self.bell = Event()
        self.by_event = False
        self.over = False  # its greenlet has stopped waiting; the entry in the heap is a husk

    def ring(self, _: object) -> None:
        """The awaited event was set."""
        self.by_event = True
        self.bell.set()


class VirtualClock:
    """Time that jumps to the next instant due as soon as nobody has work left.

    A *probe* tells whether somebody is still at work (a query under way, bytes between the simulated
    Asterisk and the worker that were sent and not yet read). While any probe says so, time stands still;
    so two seconds of patience stay two seconds, however slow the machine is.
    """

    def __init__(self, start: float) -> None:
        self._now = start
        self._start = start
        self._due: list[tuple[float, int, _Alarm]] = []
        self._sequence = itertools.count()
        self._probes: list[Callable[[], bool]] = []
        self._husks = 0

    def add_probe(self, busy: Callable[[], bool]) -> None:
        """`busy()` is asked before each jump; True holds the time."""
        self._probes.append(busy)

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    def sleep(self, seconds: float) -> None:
        self.wait(Event(), seconds)

    def wait(self, event: Event, timeout: float | None) -> bool:
        if timeout is None:
            return bool(event.wait())
        if event.is_set():
            return True
        alarm = _Alarm()
        heapq.heappush(self._due, (self._now + max(0.0, timeout), next(self._sequence), alarm))
        event.rawlink(alarm.ring)
        try:
            alarm.bell.wait()
        finally:
            event.unlink(alarm.ring)
            alarm.over = True
            if alarm.by_event or not alarm.bell.is_set():  # ended early: its entry is still in the heap
                self._forget()
        # The event may have been set and cleared again before this greenlet ran: that counts as set.
        return alarm.by_event or bool(event.is_set())

    def run_until(self, end: float) -> None:
        """Move the time to `end` (seconds since 1970), one due instant after the other.

        Everything due at or before `end` has happened when this returns. Called by one greenlet at a
        time; it must not be one whose work the others wait for.
        """
        while True:
            self._settle()
            self._drop_husks()
            if not self._due or self._due[0][0] > end:
                self._now = max(self._now, end)
                return
            self._now = max(self._now, self._due[0][0])
            # Do all that is due at this instant at once: what costs time in a jump is asking who is at work.
            while self._due and self._due[0][0] <= self._now:
                _, _, alarm = heapq.heappop(self._due)
                alarm.bell.set()

    def _settle(self) -> None:
        """Return when every other greenlet waits, for time or for something outside the process."""
        while True:
            gevent.idle()
            if not any(busy() for busy in self._probes):
                gevent.idle()  # work that a probe's owner has just finished may have woken somebody
                if not any(busy() for busy in self._probes):
                    return
            gevent.sleep(0.0002)

    def _forget(self) -> None:
        """Count a husk; when husks are more than half of the heap, sweep them out."""
        self._husks += 1
        if self._husks > 64 and self._husks * 2 > len(self._due):
            self._due = [entry for entry in self._due if not entry[2].over]
            heapq.heapify(self._due)
            self._husks = 0

    def _drop_husks(self) -> None:
        while self._due and (self._due[0][2].over or self._due[0][2].bell.is_set()):
            heapq.heappop(self._due)
            self._husks = max(0, self._husks - 1)
