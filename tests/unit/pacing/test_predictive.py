"""The decision of predictive pacing: how many calls, and why."""

from __future__ import annotations

import copy
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from worker.pacing.learned import Learned
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window
from worker.pacing.predictive import LEARNING, decide
from worker.pacing.settings import PacingSettings
from worker.pacing.target import target

SETTINGS = PacingSettings()
DAY = Window(answered=400, abandoned=8, seconds_left=4 * 3600)


def experienced(rate: float = 0.3, calls: int = 1500) -> Learned:
    """A project whose calls are answered at that rate, mostly after 6 to 12 seconds; talks of 60 to 180 seconds."""
    learned, chance = Learned(SETTINGS), random.Random(calls)
    flight: list[tuple[float, float, bool]] = []
    for second in range(calls):
        flight.append((second, second + (chance.uniform(6, 12) if chance.random() < rate else 25), False))
        for began, ends, _ in [call for call in flight if call[1] <= second]:
            if ends - began < 20:
                learned.observe_answered(ends - began)
                learned.observe_end(abandoned=False)
                learned.observe_talk(chance.uniform(60, 180))
                learned.observe_wrap_up(chance.uniform(10, 30))
            else:
                learned.observe_failed(25)
        flight = [call for call in flight if call[1] > second]
        learned.observe_begun(1, 0.03, 0.02)
        calls_now = [ObservedCall(second - began) for began, _, _ in flight]
        learned.observe(Observation(float(second), [ObservedAgent("talking", 30)] * 20, calls_now))
    return learned


LEARNED = experienced()


def team(free: int, talking: int = 0, wrap_up: int = 0, now: float = 1500.0) -> Observation:
    agents = [ObservedAgent("free")] * free
    agents += [ObservedAgent("talking", 7.0 * number % 150) for number in range(talking)]
    agents += [ObservedAgent("wrap-up", 3.0 * number % 20) for number in range(wrap_up)]
    return Observation(now, agents, windows=[DAY])


def test_free_agents_get_more_than_one_call_each_when_few_answer() -> None:
    decision = decide(team(free=10), LEARNED, SETTINGS)
    assert decision.quota > 15
    assert decision.reason == "risk of one more call"


def test_agents_about_to_be_free_are_dialled_for() -> None:
    busy = team(free=0, talking=20)
    soon = team(free=0, talking=10, wrap_up=10)
    assert decide(soon, LEARNED, SETTINGS).quota > decide(busy, LEARNED, SETTINGS).quota


def test_wrap_up_whose_end_is_known_counts_as_an_agent_just_then() -> None:
    def quota(left: float) -> int:
        agents = [ObservedAgent("talking", 5.0)] * 5 + [ObservedAgent("wrap-up", 10.0, left)] * 3
        return decide(replace(team(0), agents=agents), LEARNED, SETTINGS).quota

    assert quota(1.0) > 0
    assert quota(60.0) == 0


def test_calls_in_flight_are_counted_against_the_quota() -> None:
    observation = team(free=4, talking=16)
    with_calls = replace(observation, calls=[ObservedCall(3.0)] * 8)
    assert decide(with_calls, LEARNED, SETTINGS).quota <= decide(observation, LEARNED, SETTINGS).quota - 5


def test_calls_that_will_hardly_be_answered_leave_room_for_others() -> None:
    alike = replace(team(free=8, talking=12), calls=[ObservedCall(3.0)] * 8)
    unlikely = replace(alike, calls=[ObservedCall(3.0, odds=0.2)] * 8)
    likely = replace(alike, calls=[ObservedCall(3.0, odds=4.0)] * 8)
    quotas = [decide(observation, LEARNED, SETTINGS).quota for observation in (likely, alike, unlikely)]
    assert quotas == sorted(set(quotas))


def test_cases_that_will_hardly_answer_are_called_in_greater_number() -> None:
    usual = decide(team(free=6, talking=14), LEARNED, SETTINGS).quota
    unlikely = decide(replace(team(free=6, talking=14), next_odds=[0.25] * 100), LEARNED, SETTINGS).quota
    likely = decide(replace(team(free=6, talking=14), next_odds=[4.0] * 100), LEARNED, SETTINGS).quota
    assert likely < usual < unlikely


def test_call_under_amd_is_a_claim() -> None:
    observation = replace(team(free=3, talking=3), calls=[ObservedCall(10.0, under_amd=True)] * 3)
    assert decide(observation, LEARNED, SETTINGS).quota < decide(team(3, 3), LEARNED, SETTINGS).quota


def test_agents_who_leave_in_mid_flight_stop_dialling() -> None:
    before = replace(team(free=8, talking=12), calls=[ObservedCall(4.0)] * 20)
    after = replace(before, agents=before.agents[:2])
    assert decide(after, LEARNED, SETTINGS).quota == 0


def test_used_up_budget_falls_back_to_progressive_and_says_so() -> None:
    spent = replace(team(free=3, talking=17), windows=[Window(answered=400, abandoned=12)])
    decision = decide(spent, LEARNED, SETTINGS)
    assert decision.quota == 3
    assert decision.reason == "progressive: no room for one more abandoned call"


def test_stricter_window_decides() -> None:
    month = Window(answered=10000, abandoned=299, seconds_left=600)
    observation = team(free=6, talking=14)
    both = replace(observation, windows=[DAY, month])
    assert decide(both, LEARNED, SETTINGS).aim < decide(observation, LEARNED, SETTINGS).aim
    assert decide(both, LEARNED, SETTINGS).quota < decide(observation, LEARNED, SETTINGS).quota


def test_lower_target_dials_less() -> None:
    quotas = [
        decide(team(free=6, talking=30), LEARNED, PacingSettings(abandon_target=aim)).quota
        for aim in (0.022, 0.03, 0.05)
    ]
    assert quotas == sorted(quotas)
    assert quotas[0] < quotas[-1]


@pytest.mark.parametrize(
    ("observation", "settings", "reason"),
    [
        (team(free=3, talking=1), PacingSettings(least_agents=5), "progressive: fewer than 5 agents"),
        (
            replace(team(free=3, talking=9), synchronised=False),
            SETTINGS,
            "progressive: state is being read anew after a gap",
        ),
        (team(free=0), SETTINGS, "no agents"),
    ],
)
def test_reason_tells_why_nothing_is_predicted(observation: Observation, settings: PacingSettings, reason: str) -> None:
    decision = decide(observation, LEARNED, settings)
    assert decision.quota == observation.free
    assert decision.reason == reason


def test_progressive_until_a_few_calls_have_ended() -> None:
    learned = Learned(SETTINGS)
    decision = decide(team(free=5), learned, SETTINGS)
    assert (decision.quota, decision.reason) == (5, f"progressive: fewer than {LEARNING} calls to learn from")
    for _ in range(LEARNING):
        learned.observe_failed(25)
    decision = decide(team(free=5), learned, SETTINGS)
    assert (decision.quota, decision.reason) == (5, "progressive: calls have not been watched for long enough")
    for second in range(60):
        learned.observe(replace(team(free=5), now=float(second), calls=[ObservedCall(1.0)]))
    assert decide(team(free=5), learned, SETTINGS).reason == "risk of one more call"


def test_many_agents_wait_for_more_calls_to_learn_from() -> None:
    learned = Learned(SETTINGS)
    for _ in range(LEARNING):
        learned.observe_failed(25)
    assert decide(team(free=30), learned, SETTINGS).reason == "progressive: fewer than 120 calls to learn from"
    assert decide(team(free=300), learned, SETTINGS).reason == "progressive: fewer than 200 calls to learn from"


def test_fixed_ratio_dials_so_many_calls_for_each_free_agent() -> None:
    observation = replace(team(free=4, talking=2), calls=[ObservedCall(1.0)] * 3)
    assert decide(observation, LEARNED, PacingSettings(ratio=2.5)).quota == 7


def test_lines_and_calls_per_agent_are_bounds() -> None:
    observation = team(free=10)
    assert decide(replace(observation, lines=4), LEARNED, SETTINGS).quota == 4
    assert decide(observation, LEARNED, PacingSettings(most_calls_per_agent=1.2)).quota == 12


def test_decision_changes_nothing_and_can_be_repeated() -> None:
    learned = copy.deepcopy(LEARNED)
    before = learned.as_dict()
    observation = replace(team(free=4, talking=16), calls=[ObservedCall(3.0)] * 8)
    assert decide(observation, learned, SETTINGS) == decide(observation, learned, SETTINGS)
    assert learned.as_dict() == before


def test_restored_state_decides_alike() -> None:
    again = Learned.from_dict(LEARNED.as_dict(), SETTINGS)
    for free in (1, 5, 20):
        observation = team(free=free, talking=20)
        here, there = (decide(observation, one, SETTINGS).quota for one in (LEARNED, again))
        assert here == pytest.approx(there, abs=1)


ages = st.floats(0, 4000)
agents = st.lists(
    st.builds(
        ObservedAgent,
        st.sampled_from(["free", "ringing", "talking", "wrap-up"]),
        ages,
        st.none() | st.floats(-5, 100),
    ),
    max_size=30,
)
calls = st.lists(st.builds(ObservedCall, st.floats(0, 60), st.floats(0.001, 1000), st.booleans()), max_size=60)
windows = st.lists(st.builds(Window, st.integers(0, 9999), st.integers(0, 999), st.floats(0, 1e6)), max_size=2)


observations = st.builds(
    Observation,
    now=st.just(1500.0),
    agents=agents,
    calls=calls,
    waiting=st.integers(0, 5),
    windows=windows,
    lines=st.none() | st.integers(0, 50),
    next_odds=st.lists(st.floats(0.01, 50)),
)


@given(observations)
@hypothesis_settings(deadline=None, max_examples=150)
def test_quota_is_never_below_progressive_nor_beyond_its_bounds(observation: Observation) -> None:
    decision = decide(observation, LEARNED, SETTINGS)
    most = max(0, SETTINGS.most_calls_per_agent * len(observation.agents) - len(observation.calls))
    if observation.lines is not None:
        most = min(most, observation.lines)
    assert min(observation.spare, most) <= decision.quota <= most


def test_decision_for_500_agents_and_2000_calls_takes_milliseconds() -> None:
    agents = [ObservedAgent("talking", 1.3 * number % 300) for number in range(430)]
    agents += [ObservedAgent("wrap-up", 0.7 * number % 40) for number in range(60)] + [ObservedAgent("free")] * 10
    calls = [ObservedCall(0.37 * number % 25, odds=0.5 + number % 4 / 2) for number in range(2000)]

    def seconds() -> float:
        observation = Observation(1500.0, agents, calls, windows=[DAY])
        began = time.process_time()
        decide(observation, LEARNED, SETTINGS)
        return time.process_time() - began

    assert min(seconds() for _ in range(10)) < 0.015  # 2 ms when measured; machines differ


# ------------------------------------------------------------------------------------------------ the abandon bank


def test_aim_is_what_is_left_over_what_is_still_to_come() -> None:
    even = target([Window(1000, 30, 3600)], 0.03, 1.0)
    behind = target([Window(1000, 10, 3600)], 0.03, 1.0)
    ahead = target([Window(1000, 38, 3600)], 0.03, 1.0)
    assert ahead.rate < even.rate < 0.03 < behind.rate <= 0.06


def test_room_is_the_abandoned_calls_that_the_window_still_allows() -> None:
    assert target([Window(1000, 27, 0)], 0.03, 1.0).room == pytest.approx(3)
    assert target([], 0.03, 1.0).room > 1e9


def test_being_far_ahead_of_the_limit_ends_all_risk() -> None:
    assert target([Window(1000, 60, 3600 * 8)], 0.03, 1.0).rate == 0


def test_promised_answers_are_not_trusted_when_calls_must_be_held_back() -> None:
    """Half a day's excess may not be left to answers that only the excess would bring."""
    excess = target([Window(1000, 40, 1000)], 0.03, 1.0)
    trusting = (0.03 * 2000 - 40) / 1000
    assert excess.rate < 0.5 * trusting
