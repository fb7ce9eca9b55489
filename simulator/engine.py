"""Timed events on a clock: one heap, one waiting greenlet.

The model calls `after`; the engine runs what is due, in the order of its due times, and then waits on the
clock (and on nothing else) for the next. So a virtual clock moves a simulated day as fast as the machine can.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from worker.clock import Clock
from worker.supervisor import Supervisor

log = logging.getLogger(__name__)

#: A timer this close is due: sums of floats on a virtual clock fall short of it by nanoseconds.
_NEAR = 1e-6
#: Timers in a row before sockets get their turn, when the machine is behind.
_BATCH = 500


class Timer:
    """A pending call of a function; `cancel()` makes it do nothing."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.function: Callable[..., object] | None = function
        self.arguments = arguments

    def cancel(self) -> None:
        self.function = None
        self.arguments = ()


class Engine:
    """Runs functions at instants of `clock`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = itertools.count()
        self._wake = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._waiting_for = 0.0
        self.executed = 0

    def after(self, seconds: float, function: Callable[..., object], *arguments: Any) -> Timer:
        """Run `function(*arguments)` in `seconds` from now; 0: as soon as the caller gives way."""
        due = self.clock.monotonic() + seconds
        timer = Timer(function, arguments)
        heapq.heappush(self._heap, (due, next(self._sequence), timer))
        if due < self._waiting_for:
            self._wake.set()
        return timer

    def busy(self) -> bool:
        """Something is due and has not been run."""
        while self._heap and self._heap[0][2].function is None:
            heapq.heappop(self._heap)
        if not self._heap or self._heap[0][0] > self.clock.monotonic() + _NEAR:
            return False
        # Because of rounding, or somebody else's instant just before, it may wait for one that cannot come while this
        # says busy.
        self._wake.set()
        return True

    def start(self) -> None:
        if self._greenlet is None:
            self._greenlet = Supervisor(Event()).keep("the simulated Asterisk", self._run)

    def stop(self) -> None:
        """End it: no timer runs any more."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._heap.clear()

    def clear(self) -> None:
        """Forget all timers; the engine goes on."""
        self._heap.clear()

    def _run(self) -> None:
        self._wake.clear()
        self._turn()
        self._waiting_for = self._heap[0][0] if self._heap else float("inf")
        if self._wake.is_set():
            return
        timeout = self._waiting_for - self.clock.monotonic() if self._heap else None
        self.clock.wait(self._wake, timeout)
        self._waiting_for = 0.0

    def _turn(self) -> None:
        """Run all that is due."""
        heap = self._heap
        batch = 0
        while heap and heap[0][0] <= self.clock.monotonic() + _NEAR:
            timer = heapq.heappop(heap)[2]
            function = timer.function
            if function is None:
                continue
            self.executed += 1
            try:
                function(*timer.arguments)
            except Exception:
                log.exception("A timed event of the simulated Asterisk failed", extra={"action": "simulator_fault"})
            batch += 1
            if batch >= _BATCH:
                batch = 0
                gevent.sleep(0)
