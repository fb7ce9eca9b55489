"""The pilot: what it learns from what it is shown, when it decides, and what it puts on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from worker.model import Outcome, Step
from worker.pacing.journal import decode, encode, replay
from worker.pacing.pilot import (
    SNAPSHOT_SECONDS,
    SOONEST_SECONDS,
    TICK_SECONDS,
    Counts,
    Decided,
    PacedCase,
    Pilot,
    Sight,
    observe,
)
from worker.pacing.predictive import LEARNING
from worker.pacing.settings import PacingSettings

NOON = 12 * 3600.0
RELAXED = (Counts(2000, 0), Counts(2000, 0))


@dataclass(eq=False)
class FakeCall:
    """A call that a test moves."""

    begun: float = 0.0
    steps: dict[Step, float] = field(default_factory=dict)
    person_at: float | None = None
    abandon_seconds: float = 2.0
    answered: bool = False
    under_amd: bool = False
    wants_agent: bool = True
    without_agent: bool = False
    unwatched: bool = False
    outcome: Outcome | None = None
    ended: float | None = None

    def end(self, outcome: Outcome, at: float) -> None:
        self.outcome, self.ended, self.wants_agent = outcome, at, False

    def person(self, at: float) -> None:
        self.steps[Step.ANSWERED] = self.person_at = at
        self.answered = True

    def agent(self, at: float) -> None:
        self.steps[Step.AGENT] = at
        self.wants_agent = False


@dataclass(frozen=True)
class FakeAgent:
    state: str = "free"
    since: float = 0.0
    wrapup_until: float = 0.0
    there: bool = True


def crew(free: int = 10) -> dict[str, FakeAgent]:
    return {f"agent{number}": FakeAgent() for number in range(free)}


class World:
    """What a pilot is shown."""

    def __init__(self, pilot: Pilot | None = None) -> None:
        self.pilot = pilot or Pilot(PacingSettings())
        self.now = 0.0
        self.calls: list[FakeCall] = []
        self.crew: dict[str, FakeAgent] = crew()
        self.decisions: list[Decided] = []

    def sight(self, **changes: Any) -> Sight:
        up = [call for call in self.calls if call.outcome is None]
        return replace(Sight(self.now, NOON + self.now, up, self.crew, RELAXED), **changes)

    def look(self, **changes: Any) -> Decided | None:
        decided = self.pilot.look(self.sight(**changes))
        if decided is not None:
            self.decisions.append(decided)
        return decided

    def after(self, seconds: float, **changes: Any) -> Decided | None:
        self.now += seconds
        return self.look(**changes)

    def decide(self, **changes: Any) -> Decided:
        """A tick later."""
        decided = self.after(TICK_SECONDS, **changes)
        assert decided is not None
        return decided

    def dial(self, case: PacedCase | None = None) -> FakeCall:
        call = FakeCall(self.now, {Step.DIALING: self.now})
        self.calls.append(call)
        self.pilot.begun(call, case, NOON + self.now)
        return call

    def learned(self) -> list[tuple[str, tuple[float, ...]]]:
        """What was learned before the last decision, but for how many calls were begun."""
        return [(name, arguments) for name, arguments in self.decisions[-1].entry.facts if name != "begun"]

    def season(self) -> None:
        """Let it see so many calls, for so long, that it predicts; nobody answers."""
        for _ in range(90):
            self.decide()
            if len(self.decisions) < 60:
                self.dial(PacedCase("p"))
            for call in self.calls:
                if call.outcome is None and self.now - call.begun >= 5:
                    call.end(Outcome.NOANSWER, self.now)
        assert self.pilot.finished > LEARNING


@pytest.fixture
def world() -> World:
    world = World()
    world.look()
    return world


# --- when it decides ---------------------------------------------------------------------------------------------


def test_it_decides_at_once_and_then_when_its_time_has_come(world: World) -> None:
    assert len(world.decisions) == 1
    assert world.pilot.next_in(world.now) == TICK_SECONDS
    assert world.after(SOONEST_SECONDS / 2) is None
    assert world.pilot.next_in(world.now) == pytest.approx(SOONEST_SECONDS / 2), "something has happened"
    assert world.after(SOONEST_SECONDS / 2) is not None
    assert world.pilot.next_in(world.now + 2 * TICK_SECONDS) == 0


def test_until_something_is_learned_there_is_an_agent_for_each_call(world: World) -> None:
    [decided] = world.decisions
    assert (decided.mode, decided.quota, world.pilot.left, world.pilot.spare) == ("progressive", 10, 10, 10)


def test_what_was_begun_is_of_the_quota(world: World) -> None:
    world.dial()
    world.pilot.begun(None, PacedCase("p"), NOON)
    assert (world.pilot.left, world.pilot.spare) == (8, 8)
    world.decide()
    [begun] = [fact for fact in world.decisions[-1].entry.facts if fact.name == "begun"]
    assert begun.arguments[0] == 2


def test_who_cannot_see_begins_nothing(world: World) -> None:
    world.pilot.hold(world.now + 5)
    assert (world.pilot.left, world.pilot.spare) == (0, 0)
    assert world.pilot.next_in(world.now + 5) == TICK_SECONDS


def test_a_guarded_number_has_an_agent_for_each_call_in_flight(world: World) -> None:
    world.season()
    free = world.decide()
    assert (free.mode, free.quota > 15) == ("predictive", True)
    guarded = world.decide(guarded=True)
    assert (guarded.mode, guarded.quota) == ("progressive", 10)
    assert "abandoned before" in guarded.reason
    assert guarded.entry.quota > 15, "the rule alone decides what is replayed"


# --- what it sees ------------------------------------------------------------------------------------------------


def test_a_sight_is_rounded_before_it_is_decided_on(world: World) -> None:
    world.now = 10.126
    talking = FakeAgent("talking", since=1.0)
    wrapping = FakeAgent("wrapup", since=2.0, wrapup_until=12.0)
    world.crew = {"a": talking, "b": wrapping, "c": FakeAgent(), "d": FakeAgent(there=False), "e": FakeAgent()}
    ringing, waiting = FakeCall(1.0, {Step.DIALING: 2.0}), FakeCall(1.0, {Step.DIALING: 2.0}, answered=True)
    heard = FakeCall(3.0, answered=True, under_amd=True)
    settled = FakeCall(1.0, {Step.DIALING: 2.0}, answered=True, wants_agent=False)
    world.calls = [ringing, waiting, heard, settled]
    seen = observe(world.sight(taken={"e", "a"}, lines=7, others=[FakeCall(10.0)]))
    assert [tuple(agent) for agent in seen.agents] == [
        ("talking", 9.13, None),
        ("wrap-up", 8.13, 1.87),
        ("free", 0.0, None),
        ("ringing", 0.0, None),
    ]
    assert [tuple(call) for call in seen.calls] == [(8.13, 1.0, False), (7.13, 1.0, True), (0.13, 1.0, False)]
    assert (seen.now, seen.waiting, seen.lines) == (10.13, 1, 7)


def test_calls_that_were_lost_are_charged_as_far_as_people_answer(world: World) -> None:
    [window] = world.decide(windows=[Counts(90, 10, 50)]).entry.observation.windows
    assert 0 < window.abandoned - 10 < 50
    assert window.answered - 100 == pytest.approx(window.abandoned - 10)


def test_cases_that_seldom_answer_are_known_by_their_attempts(world: World) -> None:
    fresh, tried = PacedCase("p"), PacedCase("p", dials=3, last_outcome="NOANSWER")
    for _ in range(50):
        first, second = world.dial(fresh), world.dial(tried)
        world.now += 5
        first.person(world.now)
        first.end(Outcome.ANSWERED, world.now)
        second.end(Outcome.NOANSWER, world.now)
        world.look()
    world.dial(fresh)
    world.dial(tried)
    seen = world.decide(hand=[tried, fresh]).entry.observation
    likely, unlikely = (call.odds for call in seen.calls)
    assert likely > 1 > unlikely
    assert seen.next_odds == [unlikely, likely]


@pytest.mark.parametrize(("dials", "attempt"), [(0, "1"), (4, "5"), (5, "6"), (40, "6")])
def test_late_attempts_are_alike_and_hours_are_those_of_utc(dials: int, attempt: str) -> None:
    features = PacedCase("p", dials).features(3 * 86_400 + 17.99 * 3600)
    assert features == {"project": "p", "attempt": attempt, "last": "none", "hour": "17"}


def test_the_project_is_known_of_a_case_only_where_there_are_several() -> None:
    assert "project" not in PacedCase(None).features(NOON)


# --- what it learns ----------------------------------------------------------------------------------------------


def test_a_call_is_learned_from_once_at_each_turn_of_its_fate(world: World) -> None:
    call = world.dial()
    world.decide()
    assert world.learned() == []
    call.person(world.now)
    world.decide()
    assert world.learned() == [("answered", (1.0, 1.0))]
    call.agent(world.now)
    world.decide()
    assert world.learned() == [("end", (0.0,))]
    call.end(Outcome.ANSWERED, world.now)
    world.decide()
    world.decide()
    assert world.learned() == []


def test_who_waits_for_too_long_is_abandoned_at_once(world: World) -> None:
    call = world.dial()
    call.person(world.now)
    world.decide()
    world.after(call.abandon_seconds)
    assert world.learned() == [("end", (1.0,))]
    call.agent(world.now)
    world.decide()
    assert world.learned() == [], "and counts once"


@pytest.mark.parametrize(
    ("outcome", "learned"),
    [
        (Outcome.NOANSWER, [("failed", (0.4, 1.0))]),
        (Outcome.MACHINE, [("failed", (0.4, 1.0))]),
        *((outcome, []) for outcome in (Outcome.FAILED, Outcome.CANCELLED, Outcome.TECHNICAL, Outcome.LOST)),
    ],
)
def test_an_end_that_says_nothing_of_people_is_not_learned(
    world: World, outcome: Outcome, learned: list[tuple[str, tuple[float, ...]]]
) -> None:
    world.dial().end(outcome, world.now + 0.4)
    world.decide()
    assert world.learned() == learned


def test_who_leaves_before_the_limit_is_neither_connected_nor_abandoned(world: World) -> None:
    call = world.dial()
    call.person(0.5)
    call.end(Outcome.EARLY_HANGUP, 0.9)
    world.decide()
    assert [name for name, _ in world.learned()] == ["answered"]


def test_a_call_begun_without_its_knowing_is_learned_from_and_an_unwatched_one_is_not(world: World) -> None:
    world.calls = [FakeCall(0.0, {Step.DIALING: 0.0}), FakeCall(0.0, {Step.DIALING: 0.0}, unwatched=True)]
    world.decide()
    for call in world.calls:
        call.end(Outcome.NOANSWER, 2.0)
    world.decide()
    assert world.learned() == [("failed", (2.0, 1.0))]


@pytest.mark.parametrize(
    ("after", "learned"),
    [
        (FakeAgent("free", since=65.0), [("talk", (60.0,)), ("wrap_up", (0.0,))]),
        (FakeAgent("wrapup", since=65.0, wrapup_until=85.0), [("talk", (60.0,))]),
        (FakeAgent("paused", since=65.0, there=False), [("talk", (60.0,))]),
    ],
)
def test_talks_are_learned_when_they_are_over(
    world: World, after: FakeAgent, learned: list[tuple[str, tuple[float, ...]]]
) -> None:
    world.crew = {"a": FakeAgent("talking", since=5.0)}
    world.after(65.0)
    world.crew = {"a": after}
    world.decide()
    assert world.learned() == learned
    world.crew = {"a": FakeAgent("free", since=85.0)}
    world.decide()
    assert world.learned() == ([("wrap_up", (20.0,))] if after.state == "wrapup" else [])


# --- what is missed, and what is kept ----------------------------------------------------------------------------


def test_a_gap_is_one_gap_however_often_it_is_told(world: World) -> None:
    once, often = World(), World()
    for each in (once, often):
        each.season()
    once.pilot.gap()
    for _ in range(50):
        often.pilot.gap()
    assert often.pilot.as_dict() == once.pilot.as_dict()


def test_after_a_gap_nothing_is_learned_from_what_was_seen_before(world: World) -> None:
    call = world.dial()
    world.crew = {"a": FakeAgent("talking")}
    world.decide()
    world.pilot.gap()
    call.person(world.now)
    world.crew = {"a": FakeAgent("free", since=3.0)}
    decided = world.decide()
    assert world.learned() == []
    assert decided.entry.learned is not None, "and the journal begins anew"


def test_the_journal_replays_to_the_same_decisions(world: World) -> None:
    world.season()
    texts = [encode(decided.entry) for decided in world.decisions]
    again = list(replay(decode(text) for text in texts))
    assert [decision.quota for _, decision in again] == [decided.quota for decided in world.decisions]
    assert len({decided.quota for decided in world.decisions}) > 3


def test_the_journal_holds_the_whole_state_now_and_then(world: World) -> None:
    world.after(SNAPSHOT_SECONDS - 1)
    world.after(1)
    assert [decided.entry.learned is not None for decided in world.decisions] == [True, False, True]


def test_an_entry_of_before_with_more_in_it_is_still_read() -> None:
    world = World()
    world.look()
    text = json.loads(encode(world.decisions[0].entry))
    assert decode(json.dumps({**text, "synchronised": True})) == world.decisions[0].entry


def test_what_was_learned_goes_on_under_other_settings_and_elsewhere(world: World) -> None:
    world.season()
    state = json.loads(json.dumps(world.pilot.as_dict()))
    heir = World(Pilot.from_dict(state, PacingSettings()))
    assert heir.pilot.finished == world.pilot.finished
    heir.look()
    assert heir.decisions[0].quota > 15
    heir.pilot.adapt(PacingSettings(ratio=2.0))
    assert (heir.decide().mode, heir.pilot.left) == ("ratio", 20)
    assert heir.decisions[-1].entry.learned is not None


@pytest.mark.parametrize("state", [{}, {"learned": {"version": 0}, "answering": {}}, {"learned": 1, "answering": 2}])
def test_a_state_that_cannot_be_read_is_refused(state: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="learned"):
        Pilot.from_dict(state, PacingSettings())
