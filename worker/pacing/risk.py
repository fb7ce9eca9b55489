"""The risk of one more call: the chance that it is answered when no agent is left for it.

At one instant ahead, some of the busy agents will be free, and some of the calls in flight will have been answered.
Both numbers are sums of coins with different chances (Poisson binomial). With few coins the distribution is computed
exactly. Many coins are replaced by the binomial distribution with their mean and variance, which is very close if the
coins are much alike. If even that would be long, the difference of the two sums is taken as normal, with a correction
for skewness.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import erfc, exp, pi, sqrt
from operator import mul
from typing import NamedTuple

COUNTED_CALLS = 6
"""Up to this many calls in flight are computed exactly."""
LIKELY = 0.3
COUNTED_AGENTS = 12
"""Busy agents computed exactly: up to this many, if their chance of being free by then exceeds this; the others are
much alike."""
LISTED = 60.0
"""Up to this many expected answers and freed agents the distributions are listed; above that they are taken as
normal."""
_NEGLIGIBLE = 1e-7
_SURE = 1e-6


def counted(chances: Iterable[float], weights: Sequence[float] = (1.0,)) -> list[float]:
    """Weights of 0, 1, 2 … successes of independent coins, and of those that `weights` stands for."""
    weights = list(weights)
    for chance in chances:
        weights = one_more(weights, chance)
    return weights


def one_more(weights: list[float], chance: float) -> list[float]:
    """The weights with one more coin; a far end that is next to impossible is cut off."""
    stay = 1 - chance
    grown = [here * stay + before * chance for here, before in zip([*weights, 0.0], [0.0, *weights], strict=True)]
    if grown[-1] < _NEGLIGIBLE:
        del grown[-1]
    return grown


def matched(moments: Moments) -> list[float]:
    """Weights of 0, 1, 2 … successes of the binomial distribution with that mean and variance."""
    mean, variance = moments.mean, moments.variance
    if mean < _SURE:
        return [1.0]
    chance = min(max(1 - variance / mean, 1e-4), 0.9999)
    coins, odds = mean / chance, chance / (1 - chance)
    weight = (1 - chance) ** coins
    weights, successes = [weight], 0
    while successes < coins and (weight > _NEGLIGIBLE or successes < mean):
        weight *= (coins - successes) / (successes + 1) * odds
        successes += 1
        weights.append(weight)
    whole = sum(weights)  # coins is not a whole number: the last weight may be a little too large
    return [one / whole for one in weights]


class Moments(NamedTuple):
    """Mean, variance and third central moment of a sum of coins."""

    mean: float = 0.0
    variance: float = 0.0
    third: float = 0.0

    def plus(self, chance: float, count: float = 1) -> Moments:
        """The moments with `count` more coins."""
        expected = count * chance
        spread = expected * (1 - chance)
        return Moments(self.mean + expected, self.variance + spread, self.third + spread * (1 - 2 * chance))

    def times(self, factor: float) -> Moments:
        """The moments with all chances scaled by a factor, if they stay small; third moments then scale like the
        means."""
        mean = factor * self.mean
        return Moments(
            mean, max(0.05 * mean, mean - factor * factor * (self.mean - self.variance)), factor * self.third
        )


def moments_of(coins: Iterable[tuple[int, float]]) -> Moments:
    """The moments of a sum of coins, given as (how many are alike, their chance)."""
    mean = variance = third = 0.0
    for count, chance in coins:
        expected = count * chance
        spread = expected * (1 - chance)
        mean += expected
        variance += spread
        third += spread * (1 - 2 * chance)
    return Moments(mean, variance, third)


def risk_of_one_more(answers: Sequence[float], freed_at_most: Sequence[float], spare: int) -> float:
    """Chance that all agents are taken.

    answers: weights of 0, 1, 2 … answers; freed_at_most: chance that at most 0, 1, 2 … busy agents become free;
    spare: agents who are free now minus people who wait; may be negative.
    """
    if spare > 0:
        answers = answers[spare:]
    elif spare < 0:
        freed_at_most = freed_at_most[-spare:]
    total: float = sum(map(mul, answers, freed_at_most))
    if len(answers) > len(freed_at_most):
        total += sum(answers[len(freed_at_most) :])
    return min(1.0, total)


def at_most(weights: Iterable[float]) -> list[float]:
    """Chances of at most 0, 1, 2 … successes."""
    return list(accumulate(weights))


def normal_risk(answers: Moments, freed: Moments, spare: int) -> float:
    """The same as `risk_of_one_more` for long sums: Edgeworth's first term, with continuity correction."""
    deviation = sqrt(max(answers.variance + freed.variance, 1e-9))
    z = (spare - 0.5 - answers.mean + freed.mean) / deviation
    if z > 8:
        return 0.0
    if z < -8:
        return 1.0
    skewness = (answers.third - freed.third) / (deviation * deviation * deviation)
    result = 0.5 * erfc(z / sqrt(2)) + skewness * (z * z - 1) * exp(-z * z / 2) / (6 * sqrt(2 * pi))
    return min(1.0, max(0.0, result))
