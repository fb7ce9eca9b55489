"""How long things last, learned while they last: discounted hazards by age.

A hazard is the chance that something ends in the next second, given that it has lasted so far. What is still
going on counts too (it has survived to its age), which a mean of finished durations forgets. Counts are
discounted, so the present weighs most, and start from priors, so that nothing is ever divided by zero.

Times are seconds. No I/O and no clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, pairwise
from math import erfc, exp, log, sqrt
from typing import Any

Table = list[list[float]]
"""Rows by age, columns by look-ahead."""


def lognormal_survival(seconds: float, mean: float, variation: float) -> float:
    """Chance that a lognormal duration with that mean and coefficient of variation lasts longer than `seconds`."""
    if seconds <= 0:
        return 1.0
    variance = log(1 + variation * variation)
    return 0.5 * erfc((log(seconds / mean) + variance / 2) / sqrt(2 * variance))


def widening(first: float, growth: float, last: float) -> list[int]:
    """Whole-second edges of bins, from 0 to at least `last`: about `first` wide, each `growth` times the one before."""
    edges, width = [0], first
    while edges[-1] < last:
        edges.append(edges[-1] + round(width))
        width *= growth
    return edges


class Durations:
    """A duration's hazard, constant within bins of age: ends and seconds at risk by bin.

    `mean` and `variation` describe the lognormal prior, `weight` tells how many observations it is worth.
    """

    FIXED_AFTER = 5
    """After this many equal durations in a row, it is taken to be fixed (the queue's wrapuptime): its end is then
    known, not estimated."""
    FIXED_WITHIN = 0.3
    """Seconds that fixed durations may differ by: event delivery, Asterisk's whole seconds."""

    def __init__(self, edges: list[int], mean: float, variation: float, weight: float) -> None:
        self.edges = edges
        self._widths = [right - left for left, right in pairwise(edges)]
        lasting = [max(lognormal_survival(edge, mean, variation), 1e-4) for edge in edges]
        pairs = list(zip(lasting, lasting[1:], self._widths, strict=False))
        self.at_risk = [weight * (here + there) / 2 * width for here, there, width in pairs]
        self.ends = [
            seconds * max(log(here / there), 1e-9) / width
            for seconds, (here, there, width) in zip(self.at_risk, pairs, strict=True)
        ]
        self._alike = 0
        self._last = 0.0

    def observe(self, seconds: float) -> None:
        """A duration has ended after `seconds`."""
        at_risk, edges = self.at_risk, self.edges
        final = min(bisect_right(edges, max(0.0, seconds)), len(at_risk)) - 1
        for index in range(final):
            at_risk[index] += self._widths[index]
        at_risk[final] += max(0.0, min(seconds - edges[final], self._widths[final]))
        self.ends[final] += 1
        self._alike = self._alike + 1 if abs(seconds - self._last) <= self.FIXED_WITHIN else 0
        self._last = seconds

    def discount(self, factor: float) -> None:
        """Let everything known so far count for `factor` of what it did."""
        self.at_risk = [value * factor for value in self.at_risk]
        self.ends = [value * factor for value in self.ends]

    @property
    def fixed(self) -> float | None:
        """The duration if it is always the same."""
        return self._last if self._alike >= self.FIXED_AFTER else None

    def survival(self, most: int, ongoing: Iterable[float] = ()) -> list[float]:
        """Chance to last longer than 0, 1, 2 … `most` seconds.

        ongoing: how long those that have not ended have lasted. A team that begins its day has finished only short
        talks, and without the ongoing ones would look free soon.
        """
        fixed = self.fixed
        if fixed is not None:
            if not fixed:
                return [0.0] * (most + 1)
            # Straight lines between whole seconds then cross one half at the very instant.
            return [min(1.0, max(0.0, fixed - second + 0.5)) for second in range(most + 1)]
        result, left = [1.0], 1.0
        for ends, risk, width in zip(self.ends, self._at_risk_with(ongoing), self._widths, strict=True):
            lasting = exp(-ends / max(risk, 1e-9))
            for _ in range(min(width, most + 1 - len(result))):
                left *= lasting
                result.append(left)
        return result + [left] * (most + 1 - len(result))

    def _at_risk_with(self, ongoing: Iterable[float]) -> list[float]:
        """Seconds at risk by bin, including those of ongoing durations."""
        at_risk, reached = list(self.at_risk), [0.0] * len(self.at_risk)
        for seconds in ongoing:
            final = min(bisect_right(self.edges, max(0.0, seconds)), len(at_risk)) - 1
            at_risk[final] += max(0.0, min(seconds - self.edges[final], self._widths[final]))
            if final:
                reached[final - 1] += 1
        more = zip(at_risk, _from_the_end(reached), self._widths, strict=True)
        return [risk + count * width for risk, count, width in more]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers; the edges belong to the code."""
        return {
            "at_risk": rounded(self.at_risk),
            "ends": rounded(self.ends),
            "alike": self._alike,
            "last": round(self._last, 3),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what as_dict gave; raises ValueError if the bins differ."""
        if len(state["at_risk"]) != len(self.at_risk) or len(state["ends"]) != len(self.ends):
            raise ValueError(f"learned durations have {len(state['ends'])} bins, this version has {len(self.ends)}")
        self.at_risk = [float(value) for value in state["at_risk"]]
        self.ends = [float(value) for value in state["ends"]]
        self._alike = int(state["alike"])
        self._last = float(state["last"])


class Ringing:
    """The chances that a call nobody has answered yet is answered, or fails, by second of its age.

    The answers' hazard is a shape (it sums to 1 over the ring time) times a level, which moves faster and is
    followed elsewhere, times the factor of the call itself. So each call's seconds at risk are weighted with level and
    factor, and different kinds of calls still teach one shape.
    """

    PRIOR_MEAN = 9.0
    PRIOR_VARIATION = 0.5
    PRIOR_ANSWERS = 4.0
    PRIOR_CALLS = 8.0
    PRIOR_RATE = 0.5
    """Assuming few answers would be unsafe, so the prior level is high; it is forgotten after a few calls."""

    def __init__(self, seconds: int) -> None:
        """`seconds`: a call's longest time from dialling to the verdict."""
        self.answers: list[float] = []
        self.failures: list[float] = []
        self.at_risk: list[float] = []
        """How many calls reached each second of age, weighted as above."""
        self.entered: list[float] = []
        """The same, unweighted: what failures are compared with."""
        self.resize(seconds)

    @property
    def seconds(self) -> int:
        return len(self.answers)

    def resize(self, seconds: int) -> None:
        """Change the ring time: keep what is known about the seconds that both have, take the prior for the others."""
        lasting = [lognormal_survival(age, self.PRIOR_MEAN, self.PRIOR_VARIATION) for age in range(seconds + 1)]
        unanswered = [1 - self.PRIOR_RATE * (1 - left) for left in lasting]
        hazards = [1 - there / here for here, there in pairwise(unanswered)]
        whole = sum(hazards)
        known = min(len(self.answers), seconds)
        entered = [self.PRIOR_CALLS * left for left in unanswered[:-1]]
        at_risk = [self.PRIOR_ANSWERS * left for left in unanswered[:-1]]
        self.answers = self.answers[:known] + [
            risk * hazard / whole for risk, hazard in zip(at_risk[known:], hazards[known:], strict=True)
        ]
        self.failures = self.failures[:known] + [0.0] * (seconds - known)
        self.at_risk = self.at_risk[:known] + at_risk[known:]
        self.entered = self.entered[:known] + entered[known:]

    def observe(self, age: float, weight: float, answered: bool) -> None:
        """A call was answered by a person, or failed, at that age; `weight`: the level times its own factor."""
        final = min(max(0, int(age)), len(self.answers) - 1)
        for second in range(final + 1):
            self.at_risk[second] += weight
            self.entered[second] += 1
        (self.answers if answered else self.failures)[final] += 1

    def discount(self, factor: float) -> None:
        """Let everything known so far count for `factor` of what it did."""
        for name in ("answers", "failures", "at_risk", "entered"):
            setattr(self, name, [value * factor for value in getattr(self, name)])

    def hazards(self, still_ringing: dict[int, tuple[float, float]]) -> tuple[list[float], list[float]]:
        """(shape of the answers' hazard, hazard of failing) by second of age.

        still_ringing: by age in seconds, the number of calls in flight and the sum of their weights. In a burst of new
        calls answers come early and failures late: if those still ringing were left out, there would seem to be too
        many answers.
        """
        more, more_weighted = [0.0] * self.seconds, [0.0] * self.seconds
        for age, (count, weight) in still_ringing.items():
            last = min(age, self.seconds) - 1
            if last >= 0:
                more[last] += count
                more_weighted[last] += weight
        entered, at_risk = _from_the_end(more), _from_the_end(more_weighted)
        shape = [found / (risk + extra) for found, risk, extra in zip(self.answers, self.at_risk, at_risk, strict=True)]
        failing = [
            found / (count + extra) for found, count, extra in zip(self.failures, self.entered, entered, strict=True)
        ]
        whole = sum(shape) or 1.0
        return [value / whole for value in shape], failing

    def as_dict(self) -> dict[str, Any]:
        return {name: rounded(getattr(self, name)) for name in ("answers", "failures", "at_risk", "entered")}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what as_dict gave, with as many seconds as it had."""
        for name in ("answers", "failures", "at_risk", "entered"):
            setattr(self, name, [float(value) for value in state[name]])


def free_after_talk(talk: list[float], wrap_up: list[float], ages: list[int], ahead: list[float]) -> Table:
    """Chance that an agent who has talked for `ages` seconds has done the wrap-up too within `ahead` seconds.

    talk, wrap_up: survival by second; talk must reach to the highest age plus the furthest look-ahead.
    """
    furthest = int(max(ahead)) + 1
    done = [
        [(u - 0.5, _done(wrap_up, horizon - (u - 0.5))) for u in range(1, furthest + 1) if horizon > u - 0.5]
        for horizon in ahead
    ]
    table = []
    for age in ages:
        here = max(talk[age], 1e-12)
        ending = [(talk[age + u - 1] - talk[age + u]) / here for u in range(1, furthest + 1)]
        table.append([sum(map(_times, ending, column)) for column in done])
    return table


def _times(ending: float, column: tuple[float, float]) -> float:
    return ending * column[1]


def free_after_wrap_up(wrap_up: list[float], ages: list[int], ahead: list[float]) -> Table:
    """Chance that an agent who has wrapped up for `ages` seconds has finished within `ahead` seconds."""
    return [[1 - (1 - _done(wrap_up, age + horizon)) / max(wrap_up[age], 1e-12) for horizon in ahead] for age in ages]


def _done(survival: list[float], seconds: float) -> float:
    """1 - survival at any instant, straight between whole seconds."""
    whole = int(seconds)
    if whole >= len(survival) - 1:
        return 1 - survival[-1]
    return 1 - survival[whole] - (survival[whole + 1] - survival[whole]) * (seconds - whole)


def _from_the_end(values: list[float]) -> list[float]:
    """Each value plus all after it."""
    return list(accumulate(reversed(values)))[::-1]


def rounded(values: list[float]) -> list[float]:
    """Rounded to five significant digits: enough to go on from, and short in the database."""
    return [float(f"{value:.5g}") for value in values]
