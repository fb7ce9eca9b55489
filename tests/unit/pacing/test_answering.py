"""The odds of a case: learned from what its like did, shrunk towards the project's rate."""

from __future__ import annotations

import json
import random
from math import exp

import pytest

from worker.pacing.answering import MOST_VALUES, Answering


def rate(base: float, *parts: float) -> float:
    return 1 / (1 + exp(-(base + sum(parts))))


ATTEMPT = {"1": 0.5, "2": 0.0, "3": -0.7}
HOUR = {"10": -0.4, "17": 0.6}


def taught(calls: int = 6000, seed: int = 1) -> Answering:
    answering, chance = Answering(), random.Random(seed)
    for _ in range(calls):
        attempt, hour = chance.choice(list(ATTEMPT)), chance.choice(list(HOUR))
        answered = chance.random() < rate(-1.2, ATTEMPT[attempt], HOUR[hour])
        answering.observe({"attempt": attempt, "hour": hour}, answered)
    return answering


def test_rates_of_cases_are_found_though_features_come_together() -> None:
    answering = taught()
    for attempt, by_attempt in ATTEMPT.items():
        for hour, by_hour in HOUR.items():
            found = answering.rate({"attempt": attempt, "hour": hour})
            assert found == pytest.approx(rate(-1.2, by_attempt, by_hour), abs=0.04)


def test_odds_are_ordered_as_the_rates_are() -> None:
    answering = taught()
    good, bad = {"attempt": "1", "hour": "17"}, {"attempt": "3", "hour": "10"}
    assert answering.odds(good) > 1.5
    assert answering.odds(bad) < 0.7


def test_nothing_known_is_no_difference() -> None:
    assert Answering().odds({"attempt": "1"}) == 1
    unknown = taught().odds({"attempt": "99", "weekday": "7"})
    assert unknown == taught().odds({}) == pytest.approx(1, rel=0.3)


def test_what_all_cases_share_makes_no_difference() -> None:
    answering, chance = Answering(), random.Random(2)
    for _ in range(3000):
        answering.observe({"attempt": "1", "hour": "10"}, chance.random() < 0.6)
    assert answering.odds({"attempt": "1", "hour": "10"}) == pytest.approx(1, abs=0.1)


def test_few_calls_say_little_and_many_say_much() -> None:
    few, many = taught(), taught()
    for _ in range(3):
        few.observe({"attempt": "9"}, True)
    for _ in range(300):
        many.observe({"attempt": "9"}, True)
    assert 1 < few.odds({"attempt": "9"}) / few.odds({}) < 3
    assert many.odds({"attempt": "9"}) / many.odds({}) > 6


def test_change_of_times_is_followed() -> None:
    answering, chance = taught(), random.Random(2)
    for _ in range(6000):
        answering.observe({"hour": "17"}, chance.random() < 0.05)
        answering.observe({"hour": "10"}, chance.random() < 0.3)
    assert answering.odds({"hour": "17"}) < answering.odds({"hour": "10"})


def test_state_survives_as_json() -> None:
    answering = taught()
    text = json.dumps(answering.as_dict())
    again = Answering.from_dict(json.loads(text))
    for features in ({"attempt": "1", "hour": "17"}, {"attempt": "3"}, {}):
        assert again.odds(features) == pytest.approx(answering.odds(features), rel=1e-3)
    assert again.as_dict() == answering.as_dict()


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7"):
        Answering.from_dict({"version": 7})


def test_values_without_end_do_not_fill_the_memory() -> None:
    answering = taught()
    for number in range(500):
        answering.observe({"attempt": str(1000 + number)}, False)
    assert len(answering.as_dict()["parts"]["attempt"]) == MOST_VALUES
    assert answering.odds({"attempt": "1"}) > 1.2
