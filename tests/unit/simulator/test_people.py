"""A call's fate depends on (seed, number, attempt) and, for the shares alone, on the hour."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator import Agent, Mix, Subscribers
from simulator.people import draw, offered
from simulator.scenario import CAUSE_OF_SIP, LAB_PREFIXES

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200.0


def test_the_same_attempt_meets_the_same_person() -> None:
    people = Subscribers()
    for n in range(200):
        number = f"7495{n:07}"
        assert draw(people, 1, number, 0, NOON) == draw(people, 1, number, 0, NOON + 3_600)
    fates = {draw(people, seed, "74950000001", ordinal, NOON) for seed in range(5) for ordinal in range(5)}
    assert len(fates) == 25


def test_the_shares_are_those_of_the_mix() -> None:
    people = Subscribers(mixes=(Mix(answer=0.4, busy=0.2, failure=0.1),), failures={404: 3.0, 503: 1.0})
    names = Counter(draw(people, 3, str(n), 0, NOON).name for n in range(20_000))
    assert names["answer"] / 20_000 == pytest.approx(0.4, abs=0.015)
    assert names["486"] / 20_000 == pytest.approx(0.2, abs=0.015)
    assert names["no_answer"] / 20_000 == pytest.approx(0.3, abs=0.015)
    assert names["404"] / 20_000 == pytest.approx(0.075, abs=0.01)
    assert names["503"] / 20_000 == pytest.approx(0.025, abs=0.01)
    assert set(names) == {"answer", "486", "no_answer", "404", "503"}


def test_a_better_hour_only_adds_answers() -> None:
    """The same uniform number is held against another share: who answers at noon answers in the evening too."""
    people = Subscribers(mixes=(Mix(answer=0.3), Mix(answer=0.6, from_second=64_800)))
    noon = {n for n in range(2_000) if draw(people, 1, str(n), 0, NOON).name == "answer"}
    evening = {n for n in range(2_000) if draw(people, 1, str(n), 0, NOON + 25_000).name == "answer"}
    assert noon < evening


ANSWER = {*("20", "21", "27", "30", "36"), *("40", "41", "42", "43"), *("60", "61", "62", "63", "64", "65")}


@pytest.mark.parametrize("prefix", LAB_PREFIXES)
def test_the_lab_prefixes_always_do_the_same(prefix: str) -> None:
    fate = draw(Subscribers(prefixes=LAB_PREFIXES), 1, f"{prefix}00001", 0, NOON)
    assert fate.name == LAB_PREFIXES[prefix]
    assert (fate.sip in CAUSE_OF_SIP) == fate.name.isdigit()
    assert (fate.answer_after is not None) == (prefix in ANSWER)


def test_the_longest_prefix_counts() -> None:
    people = Subscribers(prefixes={"7": "486", "749": "404", "7495": "answer"})
    assert [draw(people, 1, n, 0, NOON).name for n in ("7123", "7491", "74951")] == ["486", "404", "answer"]


def test_an_agent_may_miss_a_call_and_take_the_next_offer_of_it() -> None:
    agent = Agent("PJSIP/a", answers=0.5)
    taken = [offered(agent, 1, "123", 0, offer).pick_up is not None for offer in range(2_000)]
    assert 0.45 < sum(taken) / 2_000 < 0.55
    assert offered(agent, 1, "123", 0, 7) == offered(agent, 1, "123", 0, 7)
    never = Agent("PJSIP/n", answers=0)
    assert all(offered(never, 1, "123", 0, offer).pick_up is None for offer in range(100))
