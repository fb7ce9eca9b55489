"""The worker's pacing and the simulated day's see the same in the same world, and decide the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from simulator.cases import Case
from simulator.day import Day
from simulator.policies import Predictive
from simulator.scenario import call_centre, fixed, lognormal
from tests.support import turns_lab
from tests.support.facts import event, member, queue_params, up
from tests.unit.dialling.test_pacer import Room
from worker.calls.call import Call
from worker.model import Step
from worker.pacing.journal import Entry, Fact, decode
from worker.pacing.pilot import Decided, PacedCall, Sight
from worker.pacing.settings import PacingSettings

AGENTS = 10
SETTINGS = PacingSettings(abandon_target=0.15)


class Beside(Predictive):
    """Paces a day. Asterisk's events tell a worker what happens in it, and in each turn the worker has to begin as many
    calls as are begun here."""

    def __init__(self, room: Room) -> None:
        super().__init__(SETTINGS)
        self.room = room
        self.day: Day | None = None
        self.entries: list[Entry] = []
        self._pairs: list[tuple[PacedCall, Call]] = []
        self._begun: list[Call] = []
        self._with: dict[Call, str] = {}
        """The agents that calls are with."""
        look = self.pilot.look

        def looked(sight: Sight) -> Decided | None:
            decided = look(sight)
            assert decided is not None
            self.entries.append(decided.entry)
            return decided

        self.pilot.look = looked  # type: ignore[method-assign]

    def decide(self, sight: Sight) -> int:
        self.tell()
        [people] = sight.windows
        self.room.database.windows = {"hours": (people.connected, people.abandoned, 0)}
        before = len(self.room.session.sent)
        self.room.turn()
        sent = {begun.channel_id for begun in self.room.session.sent[before:]}
        self._begun = [call for call in self.room.session.tracker.calls() if call.channel_id in sent]
        quota = super().decide(sight)
        assert len(self._begun) == quota, f"the worker begins other calls {sight.now} s into the day"
        return quota

    def begun(self, case: Case, call: PacedCall, now: float) -> None:
        super().begun(case, call, now)
        self._pairs.append((call, self._begun.pop(0)))

    def answered(self, case: Case, age: float) -> None:
        self.tell()

    def failed(self, case: Case, age: float) -> None:
        self.tell()

    def ended(self, *, abandoned: bool) -> None:
        self.tell()

    def talked(self, seconds: float) -> None:
        self.tell()

    def tell(self) -> None:
        """Let Asterisk say what is new."""
        assert self.day is not None
        self.room.clock.run_until(self.day.now)
        for here, there in self._pairs:
            self._tell_of(here, there)
        self._pairs = [(here, there) for here, there in self._pairs if there.outcome is None]

    def _tell_of(self, here: PacedCall, there: Call) -> None:
        tracker = self.room.session.tracker
        names = {"Uniqueid": there.channel_id, "Linkedid": there.channel_id}
        agent = getattr(here, "agent", None)
        if here.answered and not there.answered:
            tracker.event(up(there.channel_id))
        if agent is not None and there not in self._with:
            self._with[there] = interface = agent.spec.interface
            tracker.event(event("AgentCalled", Interface=interface, Queue="sales", **names))
            self._does(interface, 6)
        if Step.AGENT in here.steps and Step.AGENT not in there.steps:
            tracker.event(event("AgentConnect", Interface=self._with[there], Queue="sales", **names))
            self._does(self._with[there], 2)
        if here.outcome is not None:
            tracker.unsent(there, "as on the day", here.outcome)
            self.room.session.forget_ends()
            if there in self._with:
                interface = self._with.pop(there)
                item = member("QueueMember", interface, LastCall=round(self.room.clock.time()))
                self.room.session.agents.replace_one("sales", interface, [item])

    def _does(self, interface: str, status: int) -> None:
        self.room.session.agents.event(member("QueueMemberStatus", interface, status=status))


class DayBeside(Day):
    """Whose offers are told at once, too."""

    def _match(self) -> None:
        super()._match()
        assert isinstance(self.policy, Beside)
        self.policy.tell()


def ordered(entry: Entry) -> Entry:
    """With agents, calls and facts in one order, and without lines, of which a day has enough."""
    seen = entry.observation
    return replace(
        entry,
        observation=replace(seen, agents=sorted(seen.agents), calls=sorted(seen.calls), lines=None),
        facts=sorted(entry.facts),
        learned=None,
    )


def named(facts: Sequence[Fact], name: str) -> int:
    return sum(fact.name == name for fact in facts)


def test_the_worker_and_the_simulated_day_decide_the_same_in_the_same_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_lab, "START", 0.0)  # the day's instants, to the last bit
    room = Room()
    room.predictive(
        cases=5000,
        abandon_target=100 * SETTINGS.abandon_target,
        dial_seconds=SETTINGS.ring_timeout,
        predictive_agents=SETTINGS.least_agents,
    )
    scenario = call_centre(agents=AGENTS, answer_rate=0.3, pick_up=fixed(0.2), talk=lognormal(30.0, 0.8), wrapuptime=0)
    team = [member("QueueMember", agent.interface) for agent in scenario.agents]
    room.session.agents.replace_all([queue_params("sales"), *team])
    policy = Beside(room)
    policy.day = DayBeside(scenario, policy, 600.0, begins=0.0)
    found = policy.day.run()
    theirs = [decode(row["inputs"]) for row in room.decisions()]
    assert [ordered(entry) for entry in theirs] == [ordered(entry) for entry in policy.entries]
    assert policy.reasons["risk of one more call"] > 300
    facts = [fact for entry in theirs for fact in entry.facts]
    assert {fact.name for fact in facts} == {"answered", "failed", "begun", "end", "talk", "wrap_up"}
    assert named(facts, "talk") > 50
    assert found.abandoned > 0
