"""The risk of one more call, against counting out every case."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.pacing.risk import at_most, counted, matched, moments_of, normal_risk, one_more, risk_of_one_more

Chances = list[float]
chances = st.lists(st.floats(0, 1), max_size=5)


def spelt_out(coins: Chances) -> list[tuple[float, int]]:
    """(chance, successes) of every way in which the coins can fall."""
    return [
        (prod(chance if side else 1 - chance for chance, side in zip(coins, sides, strict=True)), sum(sides))
        for sides in product((0, 1), repeat=len(coins))
    ]


@settings(deadline=None)
@given(chances)
def test_counted_weights_are_those_of_every_case(coins: Chances) -> None:
    weights = counted(coins)
    for successes in range(len(coins) + 1):
        exact = sum(chance for chance, number in spelt_out(coins) if number == successes)
        found = weights[successes] if successes < len(weights) else 0.0
        assert found == pytest.approx(exact, abs=1e-6)


@settings(deadline=None)
@given(chances, chances, st.integers(-3, 4))
def test_risk_is_the_share_of_cases_in_which_no_agent_is_left(calls: Chances, busy: Chances, spare: int) -> None:
    exact = sum(
        answered * freed
        for answered, answers in spelt_out(calls)
        for freed, agents in spelt_out(busy)
        if answers >= spare + agents
    )
    assert risk_of_one_more(counted(calls), at_most(counted(busy)), spare) == pytest.approx(exact, abs=1e-5)


@settings(deadline=None)
@given(st.integers(1, 60), st.floats(0.01, 0.95))
def test_matched_weights_of_equal_coins_are_the_binomial_ones(count: int, chance: float) -> None:
    exact, weights = counted([chance] * count), matched(moments_of([(count, chance)]))
    assert sum(weights) == pytest.approx(1)
    assert max(abs(here - there) for here, there in zip(exact, weights, strict=False)) < 0.01


def test_unlike_coins_are_matched_closely() -> None:
    coins = [0.02 + 0.01 * number for number in range(30)]
    exact, weights = counted(coins), matched(moments_of((1, coin) for coin in coins))
    assert max(abs(here - there) for here, there in zip(exact, weights, strict=False)) < 0.004


@pytest.mark.parametrize("spare", [-5, 0, 4, 9])
def test_long_sums_are_close_to_normal(spare: int) -> None:
    calls = moments_of([(200, 0.25)])
    freed = moments_of([(100, 0.4)])
    exact = risk_of_one_more(counted([0.25] * 200), at_most(counted([0.4] * 100)), spare)
    assert normal_risk(calls, freed, spare) == pytest.approx(exact, abs=0.002)


@settings(deadline=None)
@given(chances, st.floats(0, 1))
def test_one_more_coin_moves_the_mean_by_its_chance(coins: Chances, chance: float) -> None:
    def mean(weights: Chances) -> float:
        return sum(number * weight for number, weight in enumerate(weights))

    assert mean(one_more(counted(coins), chance)) == pytest.approx(sum(coins) + chance, abs=1e-4)


def test_scaled_moments_are_those_of_scaled_small_chances() -> None:
    coins = [(10, 0.05), (5, 0.1)]
    scaled = moments_of(coins).times(1.5)
    exact = moments_of((count, 1.5 * chance) for count, chance in coins)
    assert scaled.mean == pytest.approx(exact.mean)
    assert scaled.variance == pytest.approx(exact.variance)
