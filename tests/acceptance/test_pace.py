"""Calls per second as the carrier sees them: evenly spaced, and as many as were asked for."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from tests.support.installation import Installation
from tests.support.sipp import Carrier
from tests.support.sipp_scenarios import Refuse
from tests.support.waiting import wait_for
from tests.support.witness import numbers

# How evenly calls come to the carrier depends on the machine having time for it.
pytestmark = [pytest.mark.full, pytest.mark.docker, pytest.mark.timeout(180)]

RATE = 20
SECONDS = 60


def within(instants: list[float], seconds: float) -> list[int]:
    """From each call on, how many there are in so many seconds."""
    return [bisect_left(instants, start + seconds) - index for index, start in enumerate(instants)]


def test_calls_leave_evenly_spaced_and_as_many_as_the_trunk_may_have(dialer: Installation, carrier: Carrier) -> None:
    dialer.trunk(calls_per_second=RATE, max_lines=60)
    dialer.project("list", type="autoinforming", context="autoinforming", dial_time=3000)
    dialer.cases("list", *numbers(n20=RATE * (SECONDS + 5)))
    dialer.start("run")
    dialer.wait_until_ready()
    with carrier.behaving(Refuse(486)):
        dialer.start_project("list")
        first = carrier.wait_for_calls(1)[0].at
        wait_for(lambda: carrier.calls()[-1].at > first + SECONDS, SECONDS + 20, "the calls of the time")
        instants = [call.at for call in carrier.calls() if call.at <= first + SECONDS]
    assert len(instants) / SECONDS >= RATE - 0.5
    assert max(within(instants, 1)) <= RATE + 1
    tight = within(instants, 0.1)
    assert sum(count <= 3 for count in tight) >= 0.99 * len(tight)
