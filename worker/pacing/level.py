"""The answer level: how readily people answer just now, as a distribution instead of a number.

The level is the answers' hazard summed over the ring time; a project's answer rate is close to 1 - e^-level. It
moves slowly, and now and then jumps (another list, a new carrier, noon). A filter over a grid of levels weighs each by
how well it explains the answers that came and those that did not, so it knows how sure it is: hours without surprises
narrow it, a surprise widens it within seconds, and the risk of a call can be averaged over what is possible.
"""

from __future__ import annotations

from math import exp, log
from typing import Any

from worker.pacing.hazards import rounded

STEP = 0.08
"""Distance between neighbours on the grid, in logarithms: 8 per cent."""
LOWEST, HIGHEST = 0.008, 4.0
"""Levels at the grid's ends: 0.8 to 98 per cent of the calls answered."""
DRIFT = 0.0018
"""Standard deviation of the logarithm's change in one second: 11 per cent in an hour."""
JUMPS = 1 / 7200
"""Jumps per second: one in two hours."""
JUMP_SPREAD = 0.7
"""Standard deviation of a jump's logarithm: half or double the level is usual."""
PRIOR = 0.6
PRIOR_SPREAD = 0.9
"""For when nothing is known: rather too high than too low, since underestimating the level costs abandoned calls."""

SLICES = (0.45, 0.4)
"""Weights of the slices that `nodes` makes; the last slice takes the rest, high and unlikely levels."""

_COUNT = int(log(HIGHEST / LOWEST) / STEP) + 2
_LOGS = [log(LOWEST) + STEP * index for index in range(_COUNT)]
LEVELS = [exp(value) for value in _LOGS]
_BELL = [exp(-((STEP * offset / JUMP_SPREAD) ** 2) / 2) for offset in range(-_COUNT, _COUNT + 1)]


def _normal(centre: float, spread: float) -> list[float]:
    weights = [exp(-(((value - centre) / spread) ** 2) / 2) for value in _LOGS]
    whole = sum(weights)
    return [weight / whole for weight in weights]


class Level:
    """The filter. `mean`: the level expected now."""

    def __init__(self) -> None:
        self.weights = _normal(log(PRIOR), PRIOR_SPREAD)
        self.mean = self._mean()

    def observe(self, exposure: float, answers: int, seconds: float) -> None:
        """In the last `seconds` there were `answers`; at a level of 1 there would have been `exposure` of them."""
        weights = self._moved(seconds)
        if answers:
            weights = [
                weight * exp(answers * (logarithm - _LOGS[-1]) - level * exposure)
                for weight, logarithm, level in zip(weights, _LOGS, LEVELS, strict=True)
            ]
        elif exposure:
            weights = [weight * exp(-level * exposure) for weight, level in zip(weights, LEVELS, strict=True)]
        whole = sum(weights)
        if whole < 1e-280:  # no level on the grid explains it: thousands of answers at once
            return
        self.weights = [weight / whole for weight in weights]
        self.mean = self._mean()

    def _moved(self, seconds: float) -> list[float]:
        """The weights after drift and jumps."""
        old = self.weights
        out = min(0.25, DRIFT * DRIFT * seconds / (2 * STEP * STEP))
        jumped = min(0.5, JUMPS * seconds)
        centre = min(_COUNT - 1, max(0, round(log(self.mean / LOWEST) / STEP)))
        bell = _BELL[_COUNT - centre : 2 * _COUNT - centre]
        jump = jumped / sum(bell)
        stay = (1 - 2 * out) * (1 - jumped)
        out *= 1 - jumped
        return [
            stay * here + out * (left + right) + jump * weight
            for here, left, right, weight in zip(old, [old[0], *old[:-1]], [*old[1:], old[-1]], bell, strict=True)
        ]

    def forget(self) -> None:
        """After a gap: about where it was, but not sure."""
        self.weights = _normal(log(self.mean), JUMP_SPREAD)
        self.mean = self._mean()

    def nodes(self) -> list[tuple[float, float]]:
        """A few (level, weight) that stand for the distribution: the means of slices of it, one where it is narrow."""
        if self.relative_variance < 0.003:
            return [(self.mean, 1.0)]
        nodes, weight, moment, edges = [], 0.0, 0.0, iter(SLICES)
        room = next(edges)
        for here, level in zip(self.weights, LEVELS, strict=True):
            left = here
            while left > room - weight:
                part = room - weight
                nodes.append(((moment + part * level) / room, room))
                left -= part
                weight = moment = 0.0
                room = next(edges, 2.0)
            weight += left
            moment += left * level
        if weight > 1e-6:
            nodes.append((moment / weight, weight))
        return nodes

    @property
    def relative_variance(self) -> float:
        """Variance over the square of the mean."""
        square = sum(weight * level * level for weight, level in zip(self.weights, LEVELS, strict=True))
        return max(0.0, square / (self.mean * self.mean) - 1)

    def _mean(self) -> float:
        return sum(weight * level for weight, level in zip(self.weights, LEVELS, strict=True))

    def as_dict(self) -> dict[str, Any]:
        return {"weights": rounded(self.weights)}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what as_dict gave; raises ValueError if the grid differs."""
        if len(state["weights"]) != _COUNT:
            raise ValueError(f"learned level has {len(state['weights'])} points, this version has {_COUNT}")
        self.weights = [float(weight) for weight in state["weights"]]
        self.mean = self._mean()
