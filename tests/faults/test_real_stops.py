"""What an operator does on a working day: restarts workers one after the other, stops one with its hands full, loses
the API."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.stage import Stage, on_both, on_one
from tests.support.installation import Installation
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

GAP_SECONDS = 1.0
"""A rolling restart leaves no longer pause between two calls."""
EXIT_SECONDS = 5.0
MANY = 200


@on_both()
def test_a_rolling_restart_leaves_no_gap(stage: Stage) -> None:
    """Each worker is stopped and started again, while the other one dials."""
    stage.set_up()
    # Short calls in a dense row, so that a gap can be seen; about ten a second.
    stage.dialer.project("dense", type="autoinforming", context="autoinforming", lines=8, dial_time=3000)
    stage.dialer.cases("dense", *(f"36{number:04d}5" for number in range(1000)))
    stage.start("a", "b")
    stage.dial()
    stage.dialer.start_project("dense")
    wait_for(lambda: len(dense(stage)) >= 10, 20, stage.dialer.situation, every=0.1)
    gaps: list[float] = []
    with stage.fault("rolling restart of two workers") as fault:
        for leaving, staying in (("a", "b"), ("b", "a")):
            assert stage.owner() == leaving
            asked = time.time()
            stage.dialer.signal(leaving, signal.SIGTERM)
            assert stage.dialer.wait_for_exit(leaving) == 0
            stage.wait_for_owner(staying, 10)
            count = len(dense(stage))
            wait_for(lambda: len(dense(stage)) >= count + 5, 20, stage.dialer.situation, every=0.1)  # noqa: B023
            gaps.append(stage.longest_pause(asked, time.time()))
            stage.start_worker(leaving)
            count = len(dense(stage))
            wait_for(lambda: len(dense(stage)) >= count + 10, 20, stage.dialer.situation, every=0.1)  # noqa: B023
    stage.resumes(fault, within=5)
    fault.note = f"pauses at the change of hands {gaps[0]:.2f} and {gaps[1]:.2f} s"
    stage.judge(fault)
    assert max(gaps) <= GAP_SECONDS, f"{fault.note}\n{stage.dialer.log()}"


def dense(stage: Stage) -> list[float]:
    """When the calls of that project came to the carrier."""
    return [call.at for call in stage.carrier.calls() if call.number.endswith("5")]


@on_both("mariadb")
def test_sigterm_with_two_hundred_calls_up(stage: Stage) -> None:
    """It leaves in time, the calls go on, and the next worker writes how they end."""
    dialer = stage.dialer
    stage.asterisk.command("dialplan add extension s,1,Wait,60 into patient")
    dialer.trunk(max_lines=MANY, calls_per_second=100)
    dialer.project("many", type="autoinforming", context="patient", lines=MANY, dial_time=60000)
    # Every other one rings for a minute, the others have answered.
    dialer.cases("many", *(f"{('23', '30')[number % 2]}{number:04d}" for number in range(MANY + 20)))
    stage.start("a")
    dialer.start_project("many")
    wait_for(lambda: busy(dialer) == (MANY, MANY // 2), 60, lambda: f"{busy(dialer)} {dialer.situation()}", every=0.2)
    with stage.fault(f"SIGTERM with {MANY} calls up") as fault:
        dialer.signal("a", signal.SIGTERM)
        assert dialer.wait_for_exit("a", 20) == 0
    took = fault.back - fault.began
    fault.note = f"exit after {took:.1f} s"
    assert stage.asterisk.channels() >= MANY, "calls go on"
    dialer.start("worker", "b")
    stage.wait_for_owner("b", 15)
    dialer.get("/?action=stop&projectid=many")
    known = "SELECT count(*) FROM dialer_asterisks WHERE state = 'up'"
    wait_for(lambda: dialer.value(known) == 1, 20, dialer.situation, every=0.1)
    stage.asterisk.hang_up_all()
    fault.verdict = "FAILED"
    stage.judge(fault)
    assert took < EXIT_SECONDS, fault.note
    assert {row["outcome"] for row in dialer.attempts("answered_at IS NOT NULL")} == {"ANSWERED"}


def busy(dialer: Installation) -> tuple[int, int]:
    """Calls that are up, and those of them that were answered."""
    row = dialer.sql(
        "SELECT count(*) AS up, count(answered_at) AS answered FROM dialer_stat_attempt WHERE ended_at IS NULL"
    )[0]
    return row["up"], row["answered"]


@on_one("postgres")
def test_the_api_killed(stage: Stage) -> None:
    """The worker does not notice; control works again when the API does."""
    stage.under_load("a")
    with stage.fault("API killed and started") as fault:
        stage.dialer.signal("api", signal.SIGKILL)
        stage.dialer.wait_for_exit("api")
        stage.taken_over(fault)
    stage.resumes(fault, within=5)
    stage.dialer.start("api")
    wait_for(stage.dialer.listens, 15, "the API to listen", every=0.1)
    asked = time.time()
    stage.judge(fault)  # stops the projects by the API
    late = [call for call in stage.carrier.calls() if call.at > asked + 1]
    assert late == [], "stop has no effect"
