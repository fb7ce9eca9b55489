"""The abandon bank: how large a risk the ledger still allows.

A window allows so many abandoned calls by its end. What is left of them, over the answers that are still expected,
is the rate to aim at from now on; the strictest window decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from worker.pacing.observed import Window

LEAST_ANSWERS = 40.0
"""A target is for no fewer answers than these: one abandoned call more or less must not swing it."""
MARGIN = 0.7
"""Abandoned calls held back: those whose ringing goes on when the last one was spent."""
SHARE = 0.995
"""The share of the limit that is aimed at."""
CATCH_UP = 1.4
"""Aim at most at so many times the limit, when little was abandoned so far: twice the risk buys less than half."""
AHEAD = 6.0
"""So many abandoned calls more than the limit allows so far, and no risk is taken until answers have caught up."""
CAUTION = 0.85
"""The share of the expected answers that is counted on."""
LOWEST, HIGHEST = 0.002, 0.35
"""Bounds of the threshold."""


@dataclass(frozen=True)
class Target:
    """rate: abandoned per answered call to aim at; room: abandoned calls that the strictest window still allows."""

    rate: float
    room: float


def target(windows: Iterable[Window], limit: float, answers_per_second: float) -> Target:
    """What the strictest window asks for. answers_per_second: of the whole pool."""
    aims, rooms = [CATCH_UP * limit], [float("inf")]
    for window in windows:
        coming = CAUTION * answers_per_second * max(0.0, window.seconds_left)
        left = limit * (window.answered + coming) - window.abandoned
        ahead = window.abandoned > limit * window.answered + AHEAD
        aims.append(0.0 if ahead else (left * SHARE - MARGIN) / max(coming, LEAST_ANSWERS))
        rooms.append(left)
    return Target(max(0.0, min(aims)), min(rooms))


def threshold(aim: float, severity: float) -> float:
    """The risk at which launching ends, so that a share `aim` of the answered calls is abandoned."""
    return min(HIGHEST, max(LOWEST, aim / severity))
