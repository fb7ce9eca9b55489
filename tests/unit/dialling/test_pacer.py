"""Pacing at work: whom a decision is made for, what it looks at, what is learned and kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from gevent.event import Event

from tests.support.facts import event, member, queue_params, up
from tests.support.turns_lab import START, Cases, Lab
from worker.calls.call import Call
from worker.dialling.records import SAVE_SECONDS, WRITE_SECONDS
from worker.errors import StatementTimedOut
from worker.model import Outcome
from worker.pacing.journal import decode, replay
from worker.pacing.observed import Observation
from worker.pacing.pilot import SOONEST_SECONDS, TICK_SECONDS
from worker.pacing.predictive import LEARNING

RELAXED = {"hours": (2000, 0, 0), "days": (2000, 0, 0)}
SPENT = {"hours": (970, 30, 0), "days": (2000, 0, 0)}


class Paced(Cases):
    """A database that keeps what the pacing has to say."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: dict[str, tuple[int, int, int]] = RELAXED
        """By window: connected, abandoned, lost."""
        self.states: dict[str, str] = {}
        self.journal: list[dict[str, Any]] = []
        self.guarded: set[int] = set()
        self.dials: dict[int, int] = {}
        self.guaranteed: set[int] = set()

    def call(self, routine: str, *arguments: Any, timeout_seconds: float | None = None) -> list[dict[str, Any]]:
        if routine == "dialer_abandon_ledger":
            names = ("connected", "abandoned", "lost")
            since = datetime.fromtimestamp(START, UTC)
            return [
                {"window": window, "since_at": since, **dict(zip(names, counts, strict=True))}
                for window, counts in self.windows.items()
            ]
        if routine == "dialer_pacing_load":
            text = self.states.get(arguments[0])
            return [{"learned": text, "saved_at": None}] if text else []
        if routine == "dialer_pacing_save":
            self.states.update({row["project_id"]: row["learned"] for row in json.loads(arguments[3])})
            return [{routine: True}]
        if routine == "dialer_journal_write":
            self.journal += json.loads(arguments[3])
            return [{routine: True}]
        rows = super().call(routine, *arguments, timeout_seconds=timeout_seconds)
        if routine == "dialer_claim":
            for row in rows:
                row["guarded"] = row["case_id"] in self.guarded
                row["dials"] = self.dials.get(row["case_id"], 0)
        return rows

    def _begin(self, project: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.guaranteed |= {request["case_id"] for request in requests if request.get("guaranteed")}
        for case in self.guarded - self.guaranteed:
            self.refuse[case] = ("number_abandoned", None)
        for case in self.guaranteed:
            self.refuse.pop(case, None)
        return super()._begin(project, requests)


class Room(Lab):
    """A call centre whose calls a test answers and ends."""

    def __init__(self) -> None:
        self.database: Paced = Paced()
        super().__init__(self.database)

    def predictive(self, name: str = "p", cases: int = 1000, **changes: Any) -> None:
        self.database.project(name, cases, **{"type": "predictive", "room": 500, **changes})

    def in_flight(self) -> list[Call]:
        return [call for call in self.session.tracker.calls() if not call.answered]

    def nobody_answers(self, call: Call) -> None:
        self.session.tracker.unsent(call, "nobody answered", Outcome.NOANSWER)
        self.session.forget_ends()

    def learn(self, calls: int = 2 * LEARNING) -> None:
        """Dial so many calls at least, for so long that pacing trusts what it has seen; nobody answers."""
        before, since = len(self.session.sent), self.clock.monotonic()

        def more() -> bool:
            return len(self.session.sent) - before < calls or self.clock.monotonic() - since < 90

        while more() or self.in_flight():
            assert self.clock.monotonic() < 2000, f"only {len(self.session.sent) - before} calls were made"
            if more():
                self.turn()
            self.pass_time(1)
            for call in self.in_flight():
                if self.clock.monotonic() - call.begun >= 5:
                    self.nobody_answers(call)

    def decisions(self, project: str = "p") -> list[dict[str, Any]]:
        """The journal of a project, as far as it was written; what waits is written now."""
        self.turns.close()
        return [row for row in self.database.journal if row["project_id"] == project]

    def seen(self) -> Observation:
        """What the last decision was made on."""
        return decode(self.decisions()[-1]["inputs"]).observation


@pytest.fixture
def room() -> Room:
    return Room()


def test_until_something_is_learned_there_is_an_agent_for_each_call(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.turn()
    assert len(room.cases()) == 10
    [decision] = room.decisions()
    assert (decision["mode"], decision["quota"], decision["granted"]) == ("progressive", 10, 10)


def test_when_few_people_answer_more_calls_than_agents_are_begun(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.turn()
    assert len(room.in_flight()) > 15
    assert room.decisions()[-1]["mode"] == "predictive"


def test_a_spent_budget_makes_it_progressive_and_says_so(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.database.windows = SPENT
    room.pass_time(10)
    room.turn()
    assert len(room.in_flight()) == 10
    last = room.decisions()[-1]
    assert last["mode"] == "progressive"
    assert "no room for one more abandoned call" in last["reason"]


def test_calls_that_were_lost_are_charged_as_far_as_people_answer(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.database.windows = {"hours": (980, 20, 0), "days": (2000, 0, 0)}
    room.pass_time(10)
    room.turn()
    before = room.seen().windows[0]
    room.database.windows = {"hours": (980, 20, 10_000), "days": (2000, 0, 0)}
    room.pass_time(10)
    room.turn()
    after = room.seen().windows[0]
    assert after.abandoned - before.abandoned == after.answered - before.answered > 0


def test_too_few_agents_are_served_progressively(room: Room) -> None:
    room.staff(4)
    room.predictive(predictive_agents=5)
    room.learn()
    room.turn()
    assert len(room.in_flight()) == 4
    assert "fewer than 5 agents" in room.decisions()[-1]["reason"]


def test_a_fixed_ratio_is_kept_whatever_is_learned(room: Room) -> None:
    room.staff(4)
    room.predictive(dial_ratio=2.5)
    room.turn()
    assert len(room.in_flight()) == 10
    assert room.decisions()[-1]["mode"] == "ratio"


def test_projects_that_share_agents_are_decided_together_and_served_by_priority(room: Room) -> None:
    room.staff(10)
    room.predictive("low")
    room.predictive("high", cases=7, priority=1)
    room.turn()
    projects = [begun.project_id for begun in room.session.sent]
    assert (projects.count("high"), projects.count("low")) == (7, 3), "what high has no cases for goes to low"
    high, low = room.decisions("high")[-1], room.decisions("low")[-1]
    assert high["quota"] == 10
    assert (high["inputs"] == "") != (low["inputs"] == ""), "one decision, written once"


def test_equal_projects_take_turns(room: Room) -> None:
    room.staff(9)
    for name in ("a", "b", "c"):
        room.predictive(name)
    room.turn()
    projects = [begun.project_id for begun in room.session.sent]
    assert [projects.count(name) for name in ("a", "b", "c")] == [3, 3, 3]


def test_a_progressive_project_beside_a_predictive_one_has_an_agent_for_each_call(room: Room) -> None:
    room.staff(10)
    room.predictive("p")
    room.learn()
    room.database.project("steady", cases=100, priority=1, room=500)
    room.turn()
    steady = [call for call in room.in_flight() if call.project_id == "steady"]
    assert 0 < len(steady) <= 10
    assert len(room.in_flight()) > len(steady)


def test_agents_who_are_shared_only_in_part_make_it_progressive(room: Room) -> None:
    extra = [member("QueueMember", f"PJSIP/agent{number}", queue="sales") for number in range(12)]
    others = [member("QueueMember", f"PJSIP/agent{number}", queue="service") for number in range(10)]
    room.session.agents.replace_all([queue_params("sales"), queue_params("service"), *extra, *others])
    room.predictive("p")
    room.predictive("q", queue="service")
    room.learn()
    room.turn()
    assert len(room.in_flight()) == 12


def test_a_paused_agent_who_talks_is_not_counted_on(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    for number in range(10):
        room.session.agents.event(
            member("QueueMemberStatus", f"PJSIP/agent{number}", status=2, InCall=1, Paused=int(number < 5))
        )
    room.pass_time(1)
    room.turn()
    assert len(room.seen().agents) == 5


def test_an_abandoned_number_is_called_only_when_an_agent_is_free_for_every_call_in_flight(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.database.guarded = {room.database.waiting["p"][0]}
    [guarded] = room.database.guarded
    room.turn()
    assert guarded in room.database.guaranteed
    assert guarded in room.cases()
    assert len(room.in_flight()) == 10
    room.pass_time(1)
    room.turn()
    assert len(room.in_flight()) == 10, "and as long as it rings no more calls than agents"
    for call in room.in_flight():
        if call.case_id == guarded:
            room.nobody_answers(call)
    room.pass_time(1)
    room.turn()
    assert len(room.in_flight()) > 15


def test_an_abandoned_number_waits_while_more_calls_than_agents_are_in_flight(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.turn()
    assert len(room.in_flight()) > 15
    room.database.guarded = {room.database.waiting["p"][0]}
    for call in room.in_flight()[:3]:
        room.nobody_answers(call)
    room.pass_time(1)
    room.turn()
    assert not room.database.guaranteed
    assert room.database.guarded.isdisjoint(room.cases())


def test_what_is_learned_goes_to_the_next_worker(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.turns.close()
    heir = Room()
    heir.database.states = room.database.states
    heir.staff(10)
    heir.predictive()
    heir.turn()
    assert len(heir.in_flight()) > 15, "it begins where the other has ended"


def test_learning_and_journal_are_saved_now_and_then(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.turn()
    room.pass_time(WRITE_SECONDS)
    room.turn()
    assert room.database.journal
    assert not room.database.states
    room.pass_time(SAVE_SECONDS)
    room.turn()
    assert set(room.database.states) == {"p"}


def test_a_state_that_cannot_be_read_is_begun_anew(room: Room) -> None:
    room.database.states = {"p": '{"learned": {"version": 0}, "answering": {}}'}
    room.staff(2)
    room.predictive(predictive_agents=1)
    room.turn()
    assert len(room.cases()) == 2


def test_talks_answers_and_abandoned_calls_are_learned(room: Room) -> None:
    room.staff(2)
    room.predictive(predictive_agents=1)
    room.turn()
    first, second = room.in_flight()
    room.pass_time(8)
    for call in (first, second):
        room.session.tracker.event(up(call.channel_id))
    room.session.tracker.event(
        event("AgentConnect", Uniqueid=first.channel_id, Linkedid=first.channel_id, Interface="PJSIP/agent0")
    )
    room.session.agents.event(member("QueueMemberStatus", "PJSIP/agent0", status=2, InCall=1))
    room.pass_time(1)
    room.turn()
    room.pass_time(5)
    room.turn()
    room.pass_time(60)
    idle = member("QueueMember", "PJSIP/agent0", LastCall=5)
    room.session.agents.replace_one("sales", "PJSIP/agent0", [idle])
    room.turn()
    facts = [fact for row in room.decisions() for fact in decode(row["inputs"]).facts]
    told = {fact.name: fact.arguments for fact in facts}
    assert told["answered"] == (8.0, 1.0)
    assert told["talk"] == (66.0,)
    assert [fact.arguments for fact in facts if fact.name == "end"] == [(0.0,), (1.0,)], "the second waited for 6 s"


def test_what_happens_just_after_a_decision_is_decided_on_as_soon_as_may_be(room: Room) -> None:
    room.staff(10)
    room.predictive()
    assert room.turn() == TICK_SECONDS
    room.pass_time(SOONEST_SECONDS / 2)
    wait = room.turn()
    assert wait == pytest.approx(SOONEST_SECONDS / 2)
    room.pass_time(wait + 0.001)
    assert room.turn() == pytest.approx(TICK_SECONDS), "nothing has happened since"


def test_the_journal_replays_to_the_same_decisions(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn(200)
    rows = room.decisions()
    again = list(replay(decode(row["inputs"]) for row in rows))
    assert len(again) == len(rows) > 20
    assert [decision.quota for _, decision in again] == [row["quota"] for row in rows]


def test_a_gap_is_followed_by_a_whole_state_in_the_journal(room: Room) -> None:
    room.staff(10)
    room.predictive()
    room.learn()
    room.session.ready = False
    room.turn()
    room.session.ready = True
    room.turn()
    entries = [decode(row["inputs"]) for row in room.decisions()]
    assert entries[-1].learned is not None
    assert [entry.learned is not None for entry in entries].count(True) == 2


def test_calls_to_cases_that_seldom_answer_are_weighed_as_such(room: Room) -> None:
    room.staff(10)
    room.predictive(cases=6000)
    room.database.dials = dict.fromkeys(range(100, 6100, 2), 3)
    for _ in range(60):
        room.turn()
        room.pass_time(2)
        for call in room.in_flight():
            if call.case_id not in room.database.dials:
                room.session.tracker.event(up(call.channel_id))
            room.nobody_answers(call)
    room.turn()
    room.pass_time(1)
    room.turn()
    fresh = {call.odds for call in room.seen().calls if call.odds > 1}
    redialled = {call.odds for call in room.seen().calls if call.odds < 1}
    assert fresh
    assert redialled


@pytest.mark.parametrize("projects", [("p",), ("p", "q")])
def test_projects_are_told_apart_where_they_share_agents(room: Room, projects: tuple[str, ...]) -> None:
    room.staff(10)
    for name in projects:
        room.predictive(name)
    room.learn()
    room.decisions()
    parts = json.loads(room.database.states["p"])["answering"]["parts"]
    assert parts.keys() == {"attempt", "last", "hour", *(("project",) if len(projects) > 1 else ())}
    assert set(parts.get("project", projects)) == set(projects)


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_agents_of_calls_that_are_being_begun_are_nobody_elses(room: Room) -> None:
    room.staff(2)
    room.predictive("a", predictive_agents=1)
    room.predictive("b", predictive_agents=1)
    held = room.database.hold_begin["a"] = Event()
    for _ in range(5):
        room.turn()
        room.pass_time(0.3)
    held.set()
    assert room.session.notices.arrived.wait(5)
    assert len(room.session.sent) == 2, "for two agents, while nothing is learned yet"


def test_agents_of_calls_that_could_not_be_begun_are_free_again(room: Room) -> None:
    room.staff(2)
    room.predictive("a", cases=50, predictive_agents=1, priority=1)
    room.predictive("b", predictive_agents=1)
    held = StatementTimedOut("of this test", 1, "somebody holds its row")
    room.database.errors = dict.fromkeys(room.database.waiting["a"], held)
    for _ in range(5):
        room.turn()
        room.pass_time(0.3)
    assert [begun.project_id for begun in room.session.sent] == ["b", "b"]


def test_what_one_pools_pacing_runs_into_stops_no_other_project(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.staff(6, "sales")
    agents = [member("QueueMember", f"PJSIP/other{number}", queue="support") for number in range(2)]
    room.session.agents.add_queue([queue_params("support"), *agents])
    room.predictive("p")
    room.database.project("q", 10, queue="support")
    room.database.windows = {"hours": (1, 2, 3)}
    monkeypatch.setattr(room.turns._pacer, "_ledger", lambda *_: (_ for _ in ()).throw(KeyError("odd")))
    for _ in range(20):
        room.turn()
        room.pass_time(0.2)
    assert {begun.project_id for begun in room.session.sent} == {"q"}
    assert list(room.troubles()) == [("project", "p", "pacing")]
    monkeypatch.undo()
    room.pass_time(30)
    room.turn()
    assert {begun.project_id for begun in room.session.sent} == {"p", "q"}
    assert room.troubles() == {}


def test_a_lock_on_what_was_learned_holds_up_no_call_and_loses_nothing(room: Room) -> None:
    held = Event()
    real = room.database.call

    def wait(routine: str, *arguments: Any, timeout_seconds: float | None = None) -> list[dict[str, Any]]:
        if routine in ("dialer_journal_write", "dialer_pacing_save"):
            assert timeout_seconds is not None
            held.wait()
        return real(routine, *arguments, timeout_seconds=timeout_seconds)

    room.staff(6)
    room.predictive()
    room.database.call = wait  # type: ignore[method-assign]
    for _ in range(40):
        room.turn()
        for call in room.in_flight():
            room.nobody_answers(call)
        room.pass_time(0.5)
    assert len(room.session.sent) > 40
    assert room.database.journal == []
    held.set()
    rows = room.decisions()
    assert len(rows) > 20
    instants = [json.loads(row["inputs"])["now"] for row in rows]
    assert instants == sorted(set(instants)), "each once, oldest first"
    assert json.loads(room.database.states["p"])


@pytest.mark.parametrize("mode", ["progressive", "predictive"])
def test_what_is_known_of_calls_is_forgotten_with_them_in_any_mode(room: Room, mode: str) -> None:
    room.staff(2)
    room.database.project("p", 50, type=mode)
    room.database.guarded = set(range(100, 150))
    pacer = room.turns._pacer
    for _ in range(20):
        room.turn()
        assert len(pacer._guarded) <= 2
        for call in room.in_flight():
            room.nobody_answers(call)
        room.pass_time(1)
    assert len(room.session.sent) > 10
    room.turn()
    for pool in pacer._pools:
        assert set(pool.pilot._followed) == set(room.in_flight())
    assert pacer._reserved == {}
