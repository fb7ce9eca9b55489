"""How likely a case is to answer compared with the project's usual call: learned from every call that ends.

The logarithm of the odds is a sum: one part for the project, one for each thing known of the case (attempt number,
hour, last outcome …). Every part is a normal distribution that begins at "no difference" and narrows with each call
that had the feature, so rare values stay close to the project's rate: shrinkage, without a second pass over the data.
Each call is one step of a logistic regression's filter (an extended Kalman filter with its covariances left out).

No I/O and no clock: facts come in, odds go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log
from typing import Any

VERSION = 1
PRIOR_RATE = 0.3
PRIOR_SPREAD_PROJECT = 1.0
PRIOR_SPREAD = 0.5
"""Standard deviations of the logarithm of odds: two values of one feature seldom differ by more than a factor 3."""
DRIFT = 0.00002
"""Variance added back with each call: after about 10,000 calls the old ones hardly count."""
USUAL_GAIN = 0.01
"""Weight of a case in the running mean: about the last hundred cases define the usual one."""
MOST_VALUES = 48
"""The number of values kept for each feature, the most used ones; there are 24 hours, and fewer outcomes and useful
attempt numbers."""


class _Part:
    """A part of the sum: its mean, its variance, and how many calls had it."""

    __slots__ = ("calls", "mean", "variance")

    def __init__(self, mean: float, variance: float, calls: float = 0.0) -> None:
        self.mean, self.variance, self.calls = mean, variance, calls


class Answering:
    """One project's model. Features are names with values, both short texts: {"hour": "17", "attempt": "2"}.

    A value never seen, or a feature that is missing, makes no difference.
    """

    def __init__(self) -> None:
        self._project = _Part(log(PRIOR_RATE / (1 - PRIOR_RATE)), PRIOR_SPREAD_PROJECT**2)
        self._parts: dict[str, dict[str, _Part]] = {}
        self._usual = 0.0
        """The difference of the usual case: a running mean. Features that all cases share make no difference."""
        self._calls = 0

    def observe(self, features: Mapping[str, str], answered: bool) -> None:
        """A call to such a case has ended, answered by a person or not. Leave out calls that never rang: they tell
        nothing."""
        self._calls += 1
        self._usual += (self._difference(features) - self._usual) * max(1 / self._calls, USUAL_GAIN)
        parts = [self._project, *(self._part(name, value) for name, value in features.items())]
        for part in parts:
            part.variance = min(part.variance + DRIFT, PRIOR_SPREAD_PROJECT**2)
            part.calls += 1
        rate = _rate(sum(part.mean for part in parts))
        information = rate * (1 - rate)
        gain = 1 / (1 + information * sum(part.variance for part in parts))
        for part in parts:
            part.mean += part.variance * gain * (answered - rate)
            part.variance -= part.variance * part.variance * information * gain

    def odds(self, features: Mapping[str, str]) -> float:
        """Factor on the odds of an answer compared with the project's usual call, for Call.odds."""
        return exp(self._difference(features) - self._usual)

    def rate(self, features: Mapping[str, str]) -> float:
        """Chance that a person answers."""
        return _rate(self._project.mean + self._difference(features))

    def _difference(self, features: Mapping[str, str]) -> float:
        difference = 0.0
        for name, value in features.items():
            part = self._parts.get(name, {}).get(value)
            if part is not None:
                difference += part.mean
        return difference

    def _part(self, name: str, value: str) -> _Part:
        values = self._parts.setdefault(name, {})
        if value not in values:
            if len(values) >= MOST_VALUES:
                del values[min(values, key=lambda known: values[known].calls)]
            values[value] = _Part(0.0, PRIOR_SPREAD**2)
        return values[value]

    def as_dict(self) -> dict[str, Any]:
        """Its state in a form for JSON: about 25 bytes for each value of a feature."""
        return {
            "version": VERSION,
            "project": _plain(self._project),
            "usual": [round(self._usual, 4), self._calls],
            "parts": {
                name: {value: _plain(part) for value, part in values.items()} for name, values in self._parts.items()
            },
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Answering:
        """Restore what as_dict gave. Raises ValueError if another version saved it: then begin anew."""
        if state.get("version") != VERSION:
            raise ValueError(f"learned answering has version {state.get('version')!r}, this is version {VERSION}")
        answering = cls()
        answering._project = _Part(*state["project"])
        answering._usual, answering._calls = float(state["usual"][0]), int(state["usual"][1])
        answering._parts = {
            name: {value: _Part(*part) for value, part in values.items()} for name, values in state["parts"].items()
        }
        return answering


def _plain(part: _Part) -> list[float]:
    return [round(part.mean, 4), float(f"{part.variance:.4g}"), round(part.calls)]


def _rate(logarithm: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, logarithm))))
