"""Virtual time: it jumps to what is due next, and stands still while anybody is at work."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from worker.clock import SystemClock, VirtualClock

START = 1_800_000_000.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_sleepers_wake_in_the_order_of_their_instants(clock: VirtualClock) -> None:
    woken: list[tuple[str, float]] = []

    def sleeper(name: str, *pauses: float) -> None:
        for pause in pauses:
            clock.sleep(pause)
            woken.append((name, clock.time() - START))

    gevent.spawn(sleeper, "a", 10, 10)
    gevent.spawn(sleeper, "b", 5, 10, 86_400)
    clock.run_until(START + 100)
    assert woken == [("b", 5), ("a", 10), ("b", 15), ("a", 20)]
    assert clock.time() == START + 100
    assert clock.monotonic() == 100
    clock.run_until(START + 90_000)
    assert woken[-1] == ("b", 86_415)


def test_what_is_due_at_the_end_itself_has_happened(clock: VirtualClock) -> None:
    woken: list[float] = []

    def sleeper() -> None:
        clock.sleep(10)
        clock.sleep(0)
        woken.append(clock.time())

    gevent.spawn(sleeper)
    clock.run_until(START + 10)
    assert woken == [START + 10]


def test_a_simulated_day_takes_no_day(clock: VirtualClock) -> None:
    ticks = 0

    def ticker() -> None:
        nonlocal ticks
        while True:
            clock.sleep(60)
            ticks += 1

    gevent.spawn(ticker)
    began = time.monotonic()
    clock.run_until(START + 86_400)
    assert ticks == 1440
    assert time.monotonic() - began < 30


def test_wait_returns_true_when_the_event_comes_first_and_leaves_nothing_behind(clock: VirtualClock) -> None:
    event, results = Event(), Queue[tuple[bool, float]]()

    def waiter() -> None:
        while True:
            happened = clock.wait(event, 30)
            results.put((happened, clock.time() - START))
            event.clear()

    def ringer() -> None:
        clock.sleep(10)
        event.set()

    gevent.spawn(waiter)
    gevent.spawn(ringer)
    clock.run_until(START + 50)
    assert [results.get_nowait() for _ in range(results.qsize())] == [(True, 10), (False, 40)]
    # One waiter, one link to the event, however often it has waited.
    assert event.linkcount() <= 1


def test_an_event_set_and_cleared_at_once_was_heard(clock: VirtualClock) -> None:
    event = Event()
    waiter = gevent.spawn(clock.wait, event, 1_000)
    gevent.idle()
    event.set()
    gevent.idle()
    event.clear()
    waiter.join(5)
    assert waiter.value is True


def test_an_event_that_is_set_already_needs_no_time(clock: VirtualClock) -> None:
    event = Event()
    event.set()
    assert clock.wait(event, 0) is True
    assert clock.wait(event, None) is True
    assert clock.time() == START


def test_wait_without_limit_waits_for_the_event_alone(clock: VirtualClock) -> None:
    event = Event()
    waiter = gevent.spawn(clock.wait, event, None)
    clock.run_until(START + 1_000_000)
    assert not waiter.ready()
    event.set()
    waiter.join(5)
    assert waiter.value is True


def test_a_killed_waiter_is_forgotten(clock: VirtualClock) -> None:
    waiter = gevent.spawn(clock.sleep, 50)
    gevent.idle()
    waiter.kill()
    clock.run_until(START + 100)
    assert clock.time() == START + 100


def test_time_stands_still_while_a_probe_says_that_somebody_works(clock: VirtualClock) -> None:
    busy, seen = True, []

    def worker() -> None:
        nonlocal busy
        gevent.sleep(0.05)  # a query, in the machine's time
        seen.append(clock.time() - START)
        busy = False

    clock.add_probe(lambda: busy)
    gevent.spawn(worker)
    sleeper = gevent.spawn(clock.sleep, 5)
    clock.run_until(START + 10)
    assert seen == [0]
    assert sleeper.ready()


def test_work_that_greenlets_hand_to_each_other_takes_no_virtual_time(clock: VirtualClock) -> None:
    first, second = Queue[float](), Queue[float]()
    delays: list[float] = []

    def relay() -> None:
        while True:
            sent = first.get()
            gevent.sleep(0)
            second.put(sent)

    def sink() -> None:
        while True:
            sent = second.get()
            for _ in range(20):
                gevent.sleep(0)
            delays.append(clock.time() - sent)

    def source() -> None:
        for _ in range(200):
            first.put(clock.time())
            clock.sleep(0.01)

    for job in (relay, sink, source):
        gevent.spawn(job)
    clock.run_until(START + 10)
    assert delays == [0.0] * 200


def test_many_short_waits_do_not_pile_up(clock: VirtualClock) -> None:
    event = Event()

    def waiter() -> None:
        while True:
            clock.wait(event, 3_600)
            event.clear()

    def ringer() -> None:
        for _ in range(5_000):
            clock.sleep(0.1)
            event.set()

    gevent.spawn(waiter)
    gevent.spawn(ringer)
    clock.run_until(START + 600)
    assert len(clock._due) < 200


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert abs(clock.time() - time.time()) < 1
    event = Event()
    assert clock.wait(event, 0.01) is False
    event.set()
    assert clock.wait(event, 10) is True
    before = clock.monotonic()
    clock.sleep(0.01)
    clock.sleep(-1)
    assert clock.monotonic() > before
