"""Calls per second as the carrier sees them: evenly spaced, and as many as were asked for."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from tests.acceptance.installation import Installation
from tests.acceptance.sipp import Carrier
from tests.acceptance.sipp_scenarios import Refuse
from tests.acceptance.witness import numbers
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

RATE = 20


def within(instants: list[float], seconds: float) -> list[int]:
    """From each call on, how many there are in so many seconds."""
    return [bisect_left(instants, start + seconds) - index for index, start in enumerate(instants)]


@pytest.mark.parametrize("seconds", [15, pytest.param(60, marks=pytest.mark.full)])
def test_calls_leave_evenly_spaced_and_as_many_as_the_trunk_may_have(
    dialer: Installation, carrier: Carrier, seconds: int
) -> None:
    dialer.trunk(calls_per_second=RATE, max_lines=60)
    dialer.project("list", type="autoinforming", context="autoinforming", dial_time=3000)
    dialer.cases("list", *numbers(n20=RATE * (seconds + 5)))
    dialer.start("run")
    dialer.wait_until_ready()
    with carrier.behaving(Refuse(486)):
        dialer.start_project("list")
        first = carrier.wait_for_calls(1)[0].at
        wait_for(lambda: carrier.calls()[-1].at > first + seconds, seconds + 20, "the calls of the time")
        instants = [call.at for call in carrier.calls() if call.at <= first + seconds]
    assert len(instants) / seconds >= RATE - 0.5
    assert max(within(instants, 1)) <= RATE + 1
    tight = within(instants, 0.1)
    assert sum(count <= 3 for count in tight) >= 0.99 * len(tight)
