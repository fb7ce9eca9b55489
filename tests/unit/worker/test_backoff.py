"""What fails is tried again, and told again, at growing intervals."""

from __future__ import annotations

import logging

import pytest

from tests.support.facts import Time
from worker.backoff import SAY_AGAIN_SECONDS, Backoff, Outage

log = logging.getLogger("worker.test")


def test_a_try_waits_twice_as_long_as_the_one_before_up_to_the_most() -> None:
    backoff = Backoff(1.0, 5.0)
    assert [backoff.failed(100.0) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert (backoff.left(100.0), backoff.left(104.0), backoff.left(200.0)) == (5.0, 1.0, 0.0)
    backoff.sooner(101.0)
    assert backoff.left(100.0) == 1.0
    backoff.sooner(300.0)
    assert backoff.left(100.0) == 1.0, "a hint makes nothing later"
    assert backoff.over()
    assert (backoff.left(100.0), backoff.failures) == (0.0, 0)
    assert not backoff.over()


def test_the_delay_of_the_next_failure_is_known_before() -> None:
    backoff = Backoff(2.0, 5.0)
    delays = []
    for _ in range(3):
        delays.append(backoff.delay)
        assert backoff.failed(100.0) == delays[-1]
    assert delays == [2.0, 4.0, 5.0]
    backoff.over()
    assert backoff.delay == 2.0


@pytest.fixture
def time() -> Time:
    return Time(1000.0)


@pytest.fixture
def outage(time: Time, caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage(log, "gone", "it is gone", "it is back", monotonic=time)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_an_outage_is_said_once_and_its_end_once(outage: Outage, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    outage.worked()
    for _ in range(50):
        outage.failed("refused")
        time.now += 1
    assert outage.lasts
    assert said(caplog) == [("WARNING", "it is gone")]
    outage.worked()
    outage.worked()
    assert not outage.lasts
    assert said(caplog) == [("WARNING", "it is gone"), ("INFO", "it is back")]
    facts = vars(caplog.records[-1])
    assert (facts["action"], facts["seconds"], facts["times"]) == ("gone_over", 50, 50)
    outage.failed("refused")
    assert len(said(caplog)) == 3, "another one"


def test_an_outage_that_goes_on_is_said_again_at_growing_intervals(
    outage: Outage, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    at = []
    for second in range(int(SAY_AGAIN_SECONDS * 16)):
        before = len(caplog.records)
        outage.failed("refused")
        if len(caplog.records) > before:
            at.append(second)
        time.now += 1
    assert at == [0, 60, 180, 420, 900]


def test_what_works_now_and_then_is_one_outage(outage: Outage, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    """After a restart of the database each connection of the pool fails once."""
    for _ in range(20):
        outage.failed("broken pipe")
        time.now += 0.5
        outage.worked()
        time.now += 0.4
    assert said(caplog) == [("WARNING", "it is gone")]
    time.now += 1
    outage.worked()
    assert len(said(caplog)) == 2


def test_what_somebody_has_to_act_on_is_said_at_once_and_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("test"), "away", "it is away", "it is back", settled_seconds=0)
    outage.failed("it restarts")
    outage.failed("the password is wrong", for_somebody=True)
    outage.failed("the password is wrong", for_somebody=True)
    assert [vars(record)["why"] for record in caplog.records] == ["it restarts", "the password is wrong"]
    outage.worked()
    outage.failed("the password is wrong", for_somebody=True)
    assert len(caplog.records) == 3
