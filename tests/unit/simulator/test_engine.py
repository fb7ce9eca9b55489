"""The engine of the simulated Asterisk on a clock that stands still while it has work."""

from __future__ import annotations

import gevent

from simulator.engine import Engine
from worker.clock import VirtualClock


def test_an_instant_just_before_ours_holds_the_time_for_nobody() -> None:
    clock = VirtualClock(0.0)
    engine = Engine(clock)
    clock.add_probe(engine.busy)
    ran: list[float] = []
    engine.after(1.0, lambda: ran.append(clock.monotonic()))
    engine.start()
    other = gevent.spawn(clock.sleep, 1.0 - 5e-7)
    with gevent.Timeout(5):
        clock.run_until(2.0)
    assert len(ran) == 1
    assert other.ready()
    engine.stop()
