"""The progressive quota against all seatings that there are."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.pacing.progressive import quotas

PROJECTS = ("p", "q", "r", "s")
AGENTS = ("a", "b", "c", "d", "e")
SITUATION = st.tuples(
    st.dictionaries(st.sampled_from(PROJECTS), st.frozensets(st.sampled_from(AGENTS))),
    st.dictionaries(st.sampled_from(PROJECTS), st.integers(0, 3)),
    st.dictionaries(st.sampled_from(PROJECTS), st.integers(0, 4)),
)
Free = dict[str, frozenset[str]]


def served(free: Free, calls: dict[str, int]) -> int:
    """How many of these calls can have an agent of their own at the most, by trying everything."""
    waiting = [free.get(project, frozenset()) for project, count in calls.items() for _ in range(count)]

    def best(index: int, left: frozenset[str]) -> int:
        if index == len(waiting):
            return 0
        with_agent = [1 + best(index + 1, left - {agent}) for agent in waiting[index] & left]
        return max([best(index + 1, left), *with_agent]) if len(with_agent) < len(waiting) else max(with_agent)

    return best(0, frozenset(AGENTS))


def total(*parts: dict[str, int]) -> dict[str, int]:
    return {project: sum(part.get(project, 0) for part in parts) for project in PROJECTS}


@settings(max_examples=500, deadline=None)
@given(SITUATION)
def test_every_granted_call_has_an_agent_and_no_agent_is_left_who_could_take_one(
    situation: tuple[Free, dict[str, int], dict[str, int]],
) -> None:
    free, in_flight, wanted = situation
    granted = quotas(free, in_flight, wanted)
    assert granted.keys() == wanted.keys()
    assert all(0 <= granted[project] <= wanted[project] for project in wanted)
    before = served(free, in_flight)
    after = total(in_flight, granted)
    assert served(free, after) == before + sum(granted.values()), "a call was granted for which there is no agent"
    for project in wanted:
        if granted[project] < wanted[project]:
            assert served(free, total(after, {project: 1})) == served(free, after), "an agent was left idle"


@settings(max_examples=300, deadline=None)
@given(SITUATION)
def test_no_project_has_two_more_than_one_that_could_have_had_them(
    situation: tuple[Free, dict[str, int], dict[str, int]],
) -> None:
    """Turns: who went away with less could not have been given one of the others' calls."""
    free, in_flight, wanted = situation
    granted = quotas(free, in_flight, wanted)
    for poor, rich in product(wanted, wanted):
        if granted[poor] < wanted[poor] and granted[poor] + 1 < granted[rich]:
            swapped = total(in_flight, granted, {poor: 1, rich: -1})
            assert served(free, swapped) < served(free, total(in_flight, granted))


def test_shared_agents_are_counted_once() -> None:
    free = {"p": {"a", "b"}, "q": {"a", "b"}}
    assert quotas(free, {}, {"p": 5, "q": 5}) == {"p": 1, "q": 1}


def test_project_with_agents_of_its_own_leaves_the_shared_one_to_the_other() -> None:
    free = {"p": {"a", "b"}, "q": {"b"}}
    assert quotas(free, {"p": 1}, {"q": 1}) == {"q": 1}
    assert quotas(free, {"p": 2}, {"q": 1}) == {"q": 0}


def test_calls_in_flight_of_another_project_take_agents_too() -> None:
    assert quotas({"p": {"a"}, "gone": {"a"}}, {"gone": 1}, {"p": 1}) == {"p": 0}


def test_calls_without_any_agent_take_none_from_others() -> None:
    assert quotas({"p": {"a"}, "q": set()}, {"q": 9}, {"p": 2, "q": 2}) == {"p": 1, "q": 0}


def test_more_calls_in_flight_than_agents_grant_nothing() -> None:
    assert quotas({"p": {"a", "b"}}, {"p": 7}, {"p": 5}) == {"p": 0}


def test_call_left_over_is_charged_to_who_shares_its_agents() -> None:
    """Asterisk gave the shared agent, whom p's call could have had, to another queue: p's call still waits for one."""
    teams = {"p": {"a", "b"}, "q": {"b", "c"}, "r": {"d"}}
    free = {"p": set[str](), "q": {"c"}, "r": {"d"}}
    assert quotas(free, {"p": 1}, {"q": 1, "r": 1}, teams) == {"q": 0, "r": 1}
    assert quotas(free, {"p": 1}, {"q": 1, "r": 1}) == {"q": 1, "r": 1}


def test_order_of_the_wanted_decides_who_gets_the_odd_one() -> None:
    free = {project: {"a"} for project in PROJECTS}
    for first in PROJECTS:
        order = [first, *(project for project in PROJECTS if project != first)]
        assert quotas(free, {}, dict.fromkeys(order, 3))[first] == 1


def test_hundreds_of_agents_and_tens_of_projects_are_no_matter() -> None:
    """No time is asserted: a slow algorithm would not come to an end within the test's limit."""
    agents = [f"PJSIP/{number}" for number in range(3000)]
    free = {f"p{number}": set(agents[number * 5 :]) for number in range(60)}
    granted = quotas(free, dict.fromkeys(free, 3), dict.fromkeys(free, 100))
    assert sum(granted.values()) == 3000 - 180


def test_a_call_whose_agent_went_to_another_project_is_charged_to_it() -> None:
    """Queue p has a and b, q has b and c; Asterisk gave b to a call of q, so p's second call has nobody."""
    teams = {"p": {"a", "b"}, "q": {"b", "c"}}
    free = {"p": {"a"}, "q": {"c"}}
    assert quotas(free, {"p": 2}, {"p": 1, "q": 1}, teams) == {"p": 0, "q": 0}
    assert quotas(free, {"p": 1}, {"p": 1, "q": 1}, teams) == {"p": 0, "q": 1}


def test_a_call_that_nobody_can_take_costs_others_nothing() -> None:
    teams = {"p": {"a"}, "q": {"b"}}
    assert quotas({"p": set(), "q": {"b"}}, {"p": 3}, {"q": 1}, teams) == {"q": 1}
