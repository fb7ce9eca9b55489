"""The abandon bank: how large a risk the ledger still allows.

A window allows so many abandoned calls by its end. What is left of them, over the answers that are still expected,
is the rate to aim at from now on; the strictest window decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, sqrt

from worker.pacing.observed import Window

LEAST_ANSWERS = 80.0
"""A target is for no fewer answers than these: one abandoned call more or less must not swing it."""
SOON = 45.0
"""Nor for fewer than come in so many seconds: calls that ring already are answered by then."""
MARGIN, DEVIATIONS = 1.2, 3.5
"""Abandoned calls held back, and standard deviations of the number that SOON brings: they come in clusters, when
several calls are answered within the seconds in which no agent is free, and the last of the window may be one."""
CATCH_UP = 1.4
"""Aim at most at so many times the limit, when little was abandoned so far: twice the risk buys less than half."""
AHEAD = 12.0
"""So many abandoned calls more than the limit allows so far, and no risk is taken until answers have caught up."""
AS_EXPECTED, THROTTLED = 0.95, 0.4
"""Shares of the expected answers that come if all stays as it is, and if calls must be held back. Who has abandoned
too much will answer less, so what is owed must be made up for with fewer answers than the present pace promises."""
LOWEST, HIGHEST = 0.002, 0.2
"""Bounds of the threshold."""


@dataclass(frozen=True)
class Target:
    """rate: abandoned per answered call to aim at; room: abandoned calls that the strictest window still allows."""

    rate: float
    room: float


def target(windows: Iterable[Window], limit: float, answers_per_second: float) -> Target:
    """What the strictest window asks for. answers_per_second: of the whole pool at its present pace."""
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
