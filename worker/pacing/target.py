"""The abandon bank: how large a risk the ledger still allows.

A window allows a number of abandoned calls by its end. What is left of that number, divided by the answers still
expected, is the rate to aim at from now on; the strictest window decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, sqrt

from worker.pacing.observed import Window

LEAST_ANSWERS = 80.0
"""The fewest answers to reckon with, so that one abandoned call more or less does not swing the target."""
SOON = 45.0
"""Nor fewer than come within this many seconds: calls that ring already will be answered by then."""
MARGIN, DEVIATIONS = 1.2, 3.5
"""A reserve: abandoned calls, and standard deviations of the number that SOON brings. Abandoned calls come in clusters,
when several calls are answered within the seconds in which no agent is free, and the window may end with one."""
CATCH_UP = 1.4
"""The highest aim, in multiples of the limit, when little was abandoned so far: twice the risk buys less than half."""
AHEAD = 12.0
"""With this many more abandoned calls than the limit allows so far, no risk is taken until answers have caught up."""
AS_EXPECTED, THROTTLED = 0.95, 0.4
"""Shares of the expected answers that come if all stays as it is, and if calls must be held back. After too many
abandoned calls there will be fewer calls and answers, so the debt must be made up for with fewer answers than the
present pace promises."""
LOWEST, HIGHEST = 0.002, 0.2
"""Bounds of the threshold."""


@dataclass(frozen=True)
class Target:
    """rate: abandoned per answered call to aim at; room: abandoned calls that the strictest window still allows."""

    rate: float
    room: float


def target(windows: Iterable[Window], limit: float, answers_per_second: float) -> Target:
    """The aim of the strictest window. answers_per_second: of the whole pool at its present pace."""
    soon = SOON * answers_per_second
    margin = MARGIN + DEVIATIONS * sqrt(limit * soon)
    least = max(LEAST_ANSWERS, soon)
    aims, rooms = [CATCH_UP * limit], [inf]
    for window in windows:
        expected = AS_EXPECTED * answers_per_second * max(0.0, window.seconds_left)
        for coming in (expected, THROTTLED * expected):
            left = limit * (window.answered + coming) - window.abandoned
            aims.append((left - margin) / max(coming, least))
        rooms.append(limit * (window.answered + expected) - window.abandoned)
        if window.abandoned > limit * window.answered + AHEAD:
            aims.append(0.0)
    return Target(max(0.0, min(aims)), min(rooms))


def threshold(aim: float, severity: float) -> float:
    """The risk at which launching ends, so that a share `aim` of the answered calls is abandoned."""
    return min(HIGHEST, max(LOWEST, aim / severity))
