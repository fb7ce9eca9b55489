"""The lease: what is believed of it ends before the database's own does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.facts import Time
from tests.support.fake_database import FakeDatabase
from worker.config import WorkerSettings
from worker.errors import DatabaseUnavailable
from worker.model import Ownership
from worker.owners.keeper import MARGIN, Keeper

LEASE = 6
HOLDS = LEASE * (1 - MARGIN)


class Leases(FakeDatabase):
    """The routines about workers. `delay`: how long each of them takes; the lease runs from its end."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self.time = time
        self.delay = 0.0
        self.alive = True
        self.epoch: int | None = 3
        self.workers = 0
        self.lease_until = 0.0

    def call(self, routine: str, *arguments: Any, timeout_seconds: float | None = None) -> list[dict[str, Any]]:
        self.calls.append(routine)
        self.time.now += self.delay
        if self.down:
            raise DatabaseUnavailable("of this test", "it is down")
        result: object = None
        if routine == "dialer_worker_start":
            assert arguments == ("w", LEASE)
            self.workers += 1
            result = self.workers
            self.lease_until = self.time.now + LEASE
        elif routine == "dialer_worker_beat":
            assert arguments == (self.workers, LEASE)
            result, self.alive = self.alive, True
            if result:
                self.lease_until = self.time.now + LEASE
        elif routine == "dialer_asterisk_own":
            assert arguments[:2] == (self.workers, "default")
            result = self.epoch
        else:
            assert routine == "dialer_worker_stop"
            assert arguments == (self.workers,)
        return [{routine: result}]


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time(100.0)
    monkeypatch.setattr("worker.owners.keeper._machine_seconds", time)
    return time


@pytest.fixture
def leases(time: Time) -> Leases:
    return Leases(time)


@pytest.fixture
def keeper(leases: Leases) -> Keeper:
    return Keeper(leases.as_database(), WorkerSettings("w", LEASE))


def test_nothing_may_be_dialled_before_the_first_beat(keeper: Keeper, leases: Leases) -> None:
    assert not keeper.may_dial()
    assert keeper.own("default") is None
    assert leases.calls == []


def test_first_beat_registers_and_later_ones_renew(keeper: Keeper, leases: Leases, time: Time) -> None:
    assert keeper.beat()
    assert keeper.own("default") == Ownership(1, "default", 3)
    time.now += 4
    assert not keeper.beat()
    assert leases.calls == ["dialer_worker_start", "dialer_asterisk_own", "dialer_worker_beat"]
    time.now += 4
    assert keeper.may_dial()


def test_asterisk_of_another_worker_is_not_ours(keeper: Keeper, leases: Leases) -> None:
    keeper.beat()
    leases.epoch = None
    assert keeper.own("default") is None


@pytest.mark.parametrize("delay", [0.0, 0.5, 4.0])
def test_dialling_ends_before_the_lease_however_slow_the_database_is(
    keeper: Keeper, leases: Leases, time: Time, delay: float
) -> None:
    leases.delay = delay
    asked = time.now
    keeper.beat()
    time.now = asked + HOLDS - 0.001
    assert keeper.may_dial()
    time.now = asked + HOLDS
    assert not keeper.may_dial()
    assert time.now < leases.lease_until


def test_beat_that_comes_too_late_does_not_count(keeper: Keeper, leases: Leases) -> None:
    leases.delay = HOLDS + 1
    keeper.beat()
    assert not keeper.may_dial()


def test_failed_beat_keeps_the_old_fence(keeper: Keeper, leases: Leases, time: Time) -> None:
    keeper.beat()
    leases.down = True
    time.now += 3
    with pytest.raises(DatabaseUnavailable):
        keeper.beat()
    assert keeper.may_dial()
    time.now += 3
    assert not keeper.may_dial()


def test_worker_that_was_declared_dead_starts_anew(keeper: Keeper, leases: Leases) -> None:
    keeper.beat()
    leases.alive = False
    assert keeper.beat()
    assert leases.workers == 2
    assert keeper.may_dial()


def test_worker_that_is_dead_and_cannot_register_may_not_dial(keeper: Keeper, leases: Leases) -> None:
    keeper.beat()
    leases.alive = False
    call = leases.call

    def die_after_the_beat(routine: str, *arguments: Any, **limit: Any) -> list[dict[str, Any]]:
        if routine == "dialer_worker_start":
            raise DatabaseUnavailable("of this test", "it is down")
        return call(routine, *arguments, **limit)

    leases.call = die_after_the_beat  # type: ignore[method-assign]
    with pytest.raises(DatabaseUnavailable):
        keeper.beat()
    assert not keeper.may_dial()


def test_sign_off_stops_dialling_first(keeper: Keeper, leases: Leases) -> None:
    keeper.sign_off()
    assert leases.calls == []
    keeper.beat()
    leases.down = True
    with pytest.raises(DatabaseUnavailable):
        keeper.sign_off()
    assert not keeper.may_dial()
    leases.down = False
    keeper.sign_off()
    keeper.sign_off()
    assert leases.calls.count("dialer_worker_stop") == 2
    assert keeper.own("default") is None


def test_beats_come_often_enough_to_miss_one(keeper: Keeper) -> None:
    assert 2 * keeper.beat_seconds < HOLDS


def test_what_is_owned_is_confirmed_after_a_renewal_that_may_have_come_too_late(
    keeper: Keeper, leases: Leases, time: Time
) -> None:
    keeper.beat()
    time.now += LEASE - 1
    assert not keeper.beat()
    time.now += LEASE
    assert keeper.beat()
    time.now += LEASE - 1
    leases.delay = 1.0  # it arrived in time, or it did not: nobody knows
    assert keeper.beat()
