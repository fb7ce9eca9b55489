"""Paces one pool of agents: it learns from what it is shown, decides, and keeps a record.

The worker (worker/dialling/pacer.py) and the simulated day (simulator/policies.py) use the same pilot, each with its
own world. Its user

- shows it the world at every turn (`look`), and may begin as many calls as `left` says from then on,
- says which calls it has begun (`begun`), before the next look,
- and says when it may have missed something (`gap`).

The calls that it is shown are its user's own objects, which go on changing: each is followed until nothing more can be
learned from it. Agents are values, compared with those of the previous look. No I/O and no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from math import exp, inf
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from worker.model import Outcome, Step
from worker.pacing.answering import Answering
from worker.pacing.journal import DIGITS, Entry, Fact
from worker.pacing.learned import Learned
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window
from worker.pacing.predictive import Decision, decide
from worker.pacing.settings import PacingSettings

TICK_SECONDS = 1.0
"""Seconds from one decision to the next when nothing happens."""
SOONEST_SECONDS = 0.2
"""The shortest time from one decision to the next, whatever happens."""
LEDGER_SECONDS = 5.0
"""How old the counts of abandoned calls may be."""
LEND_SECONDS = 300.0
"""The abandon target counts on the answers of this many seconds ahead: enough to steer by, and few enough that calling
may end at any moment with the rate where it has to be."""
SNAPSHOT_SECONDS = 1800.0
"""How often the journal gets the whole learned state; it can be replayed from there."""
FACT_DIGITS = 6
"""Digits of what is learned and written."""
ATTEMPTS_TOLD_APART = 6
"""From the sixth on, all attempts of a case count as alike."""

_NOT_LEARNED = frozenset({Outcome.FAILED, Outcome.CANCELLED, Outcome.TECHNICAL, Outcome.LOST})
"""Outcomes that say nothing about how people answer."""


# --- what is seen ----------------------------------------------------------------------------------------------------


class PacedCall(Protocol):
    """A call as its tracker knows it. Instants are seconds of the clock that Sight.now goes by."""

    @property
    def begun(self) -> float: ...

    @property
    def steps(self) -> Mapping[Step, float]:
        """The instant of each step that it has reached."""

    @property
    def person_at(self) -> float | None:
        """When a person was on the line: at the answer, or at AMD's verdict where AMD listened first."""

    @property
    def abandon_seconds(self) -> float:
        """A person without an agent for longer counts as abandoned."""

    @property
    def answered(self) -> bool: ...

    @property
    def under_amd(self) -> bool:
        """Has it been answered, without our knowing yet whether by a person or a machine?"""

    @property
    def wants_agent(self) -> bool:
        """Will it still need a free agent? Not once an agent talks or is being rung for it, nor when it is ending."""

    @property
    def without_agent(self) -> bool:
        """Is it certain that no agent will come?"""

    @property
    def unwatched(self) -> bool:
        """May events have been missed during this call?"""

    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def ended(self) -> float | None: ...


class PacedAgent(Protocol):
    """The state of an agent. Instants as in PacedCall."""

    @property
    def state(self) -> str:
        """free, ringing, talking, wrapup, paused or unavailable."""

    @property
    def since(self) -> float: ...

    @property
    def wrapup_until(self) -> float: ...

    @property
    def there(self) -> bool:
        """Will they take calls again, as far as is known?"""


class PacedCase(NamedTuple):
    """What is known about a case that may tell how likely it is to answer. dials: calls made for it before.

    project_id: None if the pool has no other project. A feature that all cases share tells none of them apart, and
    would only make the first guesses wilder.
    """

    project_id: str | None
    dials: int = 0
    last_outcome: str | None = None

    def features(self, time: float) -> dict[str, str]:
        """The features for answering.py. time: seconds since 1970, or since another midnight, UTC."""
        project = {} if self.project_id is None else {"project": self.project_id}
        return {
            **project,
            "attempt": str(min(self.dials, ATTEMPTS_TOLD_APART - 1) + 1),
            "last": self.last_outcome or "none",
            "hour": str(int(time % 86_400 // 3600)),
        }


class Counts(NamedTuple):
    """The figures for the abandon target over one of its windows. lost: nobody knows whether a person answered."""

    connected: int
    abandoned: int
    lost: int = 0


@dataclass(frozen=True)
class Sight:
    """What a pilot is shown of its pool at one instant.

    now: seconds of a monotonic clock; time: see PacedCase.features. calls: the live calls of the pool's projects;
    others: further calls that may need one of its agents. crew: the agents, by name; taken: those of them to whom
    Asterisk has just given a call, though they may still seem free. windows: no older than LEDGER_SECONDS. lines: how
    many more calls there are lines for; None: enough. hand: the cases that would be called next, in order, as far as
    known. guarded: a number that was abandoned before is being called, so every call needs an agent of its own.
    """

    now: float
    time: float
    calls: Collection[PacedCall]
    crew: Mapping[str, PacedAgent]
    windows: Sequence[Counts] = ()
    others: Collection[PacedCall] = ()
    taken: Set[str] = frozenset()
    lines: int | None = None
    hand: Sequence[PacedCase] = ()
    guarded: bool = False


def observe(
    sight: Sight,
    windows: Sequence[Window] = (),
    odds: Mapping[PacedCall, float] = MappingProxyType({}),
    next_odds: Sequence[float] = (),
) -> Observation:
    """A sight in the terms of the decision. odds: for calls that differ from the usual one."""
    now, waiting = sight.now, 0
    ringing: list[ObservedCall] = []
    for call in chain(sight.calls, sight.others):  # this runs for thousands of calls, each second
        if not call.wants_agent:
            continue
        answered = call.answered
        under_amd = answered and call.under_amd
        if answered and not under_amd:
            waiting += 1
            continue
        age = round(max(0.0, now - call.steps.get(Step.DIALING, call.begun)), DIGITS)
        ringing.append(ObservedCall(age, odds.get(call, 1.0), under_amd))
    return Observation(
        now=round(now, DIGITS),
        agents=[
            ObservedAgent("ringing") if name in sight.taken and agent.state == "free" else _agent(agent, now)
            for name, agent in sight.crew.items()
            if agent.there
        ],
        calls=ringing,
        waiting=waiting,
        windows=windows,
        lines=sight.lines,
        next_odds=next_odds,
    )


def _agent(agent: PacedAgent, now: float) -> ObservedAgent:
    seconds = round(max(0.0, now - agent.since), DIGITS)
    if agent.state == "wrapup":
        return ObservedAgent("wrap-up", seconds, round(agent.wrapup_until - now, DIGITS))
    return ObservedAgent(agent.state, seconds if agent.state != "free" else 0.0)


# --- the pilot -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decided:
    """A decision for the journal. at: Sight.now; mode: predictive, progressive or ratio; quota: calls to begin.

    entry: what it was based on. The quota in it is the rule's alone; a guarded number may have cut it afterwards.
    """

    at: float
    mode: str
    quota: int
    reason: str
    entry: Entry


@dataclass(eq=False)
class _Followed:
    """A call that is followed until its fate is learned."""

    call: PacedCall
    features: Mapping[str, str]
    odds: float
    answered: float | None = None
    """When a person was on the line."""
    settled: bool = False
    """There is nothing more to learn from it."""


class Pilot:
    """One pool's pacing. See the module's docstring."""

    def __init__(
        self, settings: PacingSettings, learned: Learned | None = None, answering: Answering | None = None
    ) -> None:
        self.settings = settings
        self.left = 0
        """How many calls of the last decision's quota may still be begun."""
        self.spare = 0
        """Free agents without a call in flight for them: an agent is guaranteed for this many calls."""
        self._learned = learned or Learned(settings)
        self._answering = answering or Answering()
        self._decision = Decision(0, "nothing decided yet")
        self._decided = -inf
        """When that was, by Sight.now."""
        self._news = False
        """Has it looked since?"""
        self._begun = 0
        """Calls begun since."""
        self._facts: list[Fact] = []
        """Learned since."""
        self._snapshot_due = -inf
        self._followed: dict[PacedCall, _Followed] = {}
        self._odds: dict[PacedCall, float] = {}
        """Factors on the odds of being answered, for the same calls."""
        self._crew: Mapping[str, PacedAgent] = {}
        """As it was at the last look."""
        self._missed = False
        """Were events missed since the last look?"""

    @property
    def finished(self) -> int:
        """Calls that it has learned from, ever."""
        return self._learned.finished

    def look(self, sight: Sight) -> Decided | None:
        """Learn from what is shown, and decide; None: it is too soon after the last decision."""
        self._missed = False
        for call in sight.calls:
            if call not in self._followed:
                self._follow(call, {})  # begun without our knowing
        self._learn_calls(sight.now)
        self._learn_agents(sight.crew)
        if sight.now < self._decided + SOONEST_SECONDS:
            self._news = True
            return None
        return self._decide(sight)

    def begun(self, call: PacedCall | None, case: PacedCase | None, time: float) -> None:
        """A call was begun. call None: it is over already; case None: nothing is known about it. time: see
        PacedCase.features."""
        self._begun += 1
        self.left -= 1
        self.spare -= 1
        if call is not None:
            self._follow(call, case.features(time) if case else {})

    def next_in(self, now: float) -> float:
        """Seconds until it should look again if nothing happens before."""
        return max(0.0, self._decided + (SOONEST_SECONDS if self._news else TICK_SECONDS) - now)

    def hold(self, now: float) -> None:
        """Nothing can be seen at present, so no call may be begun until the next decision."""
        self.left = self.spare = 0
        self._decided, self._news = now, False

    def gap(self) -> None:
        """Events were missed: durations still hold, but how readily people answer may have changed.

        May be called any number of times before the next look.
        """
        if self._missed:
            return
        self._missed = True
        self._learned.gap()
        for followed in self._followed.values():
            followed.settled = True
        self._crew = {}
        self._facts = []
        self._begun = 0
        self._snapshot_due = -inf

    def adapt(self, settings: PacingSettings) -> None:
        """Use these settings from now on."""
        if settings != self.settings:
            self._learned = Learned.from_dict(self._learned.as_dict(), settings)
            self.settings = settings
            self._snapshot_due = -inf

    def as_dict(self) -> dict[str, Any]:
        """What was learned, in a form for JSON."""
        return {"learned": self._learned.as_dict(), "answering": self._answering.as_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], settings: PacingSettings) -> Pilot:
        """A pilot that goes on from what as_dict gave. Raises ValueError if that cannot be read: then begin anew."""
        try:
            learned, answering = state["learned"], state["answering"]
            return cls(settings, Learned.from_dict(learned, settings), Answering.from_dict(answering))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"what was learned cannot be read: {error!r}") from error

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _decide(self, sight: Sight) -> Decided:
        if self._begun:
            self._tell("begun", self._begun, self._decision.threshold, self._decision.risk)
            self._begun = 0
        observation = observe(
            sight,
            self._windows(sight.windows),
            self._odds,
            [self._odds_of(case.features(sight.time)) for case in sight.hand],
        )
        state = None
        if sight.now >= self._snapshot_due:
            # A replay goes on from what is written, so this must, too.
            state = self._learned.as_dict()
            self._learned = Learned.from_dict(state, self.settings)
            self._snapshot_due = sight.now + SNAPSHOT_SECONDS
            self._facts = []
        decision = self._rule(observation)
        entry = Entry(observation, self.settings, self._facts, decision.quota, state)
        self._facts = []
        self._decision, self._decided, self._news = decision, sight.now, False
        self.left, self.spare, reason = decision.quota, observation.spare, decision.reason
        if sight.guarded and self.left > max(0, self.spare):
            self.left = max(0, self.spare)
            reason = "progressive: a number that was abandoned before is being called"
        return Decided(sight.now, self._mode(reason), self.left, reason, entry)

    def _rule(self, observation: Observation) -> Decision:
        self._learned.observe(observation)
        return decide(observation, self._learned, self.settings)

    def _mode(self, reason: str) -> str:
        if reason.startswith("progressive"):
            return "progressive"
        return "predictive" if self.settings.ratio is None else "ratio"

    def _windows(self, windows: Sequence[Counts]) -> list[Window]:
        """Lost calls count as abandoned at the rate at which people usually answer: nobody knows that they were not."""
        share = 1 - exp(-self._learned.level.mean)
        charged = [(connected, abandoned + share * lost) for connected, abandoned, lost in windows]
        return [
            Window(round(connected + abandoned, DIGITS), round(abandoned, DIGITS), LEND_SECONDS)
            for connected, abandoned in charged
        ]

    # --- learning ----------------------------------------------------------------------------------------------------

    def _tell(self, name: str, *arguments: float) -> None:
        """Learn a fact, and remember it for the journal."""
        fact = Fact(name, tuple(round(value, FACT_DIGITS) for value in arguments))
        fact.teach(self._learned)
        self._facts.append(fact)

    def _odds_of(self, features: Mapping[str, str]) -> float:
        return round(self._answering.odds(features), DIGITS)

    def _follow(self, call: PacedCall, features: Mapping[str, str]) -> None:
        if not call.unwatched:
            odds = self._odds[call] = self._odds_of(features)
            self._followed[call] = _Followed(call, features, odds)

    def _learn_calls(self, now: float) -> None:
        for call, followed in list(self._followed.items()):
            over = call.outcome is not None
            if not followed.settled and (over or call.answered or call.without_agent):
                followed.settled = self._learn_call(followed, now)
            if over:
                del self._followed[call], self._odds[call]

    def _learn_call(self, followed: _Followed, now: float) -> bool:
        """Learn what is new about a call; True: there is nothing more to come."""
        call = followed.call
        if Step.DIALING not in call.steps:
            return call.outcome is not None
        if followed.answered is None:
            person = call.person_at
            if person is not None:
                followed.answered = person
                self._fate(followed, person, answered=True)
            elif call.without_agent or (call.outcome is not None and call.outcome not in _NOT_LEARNED):
                self._fate(followed, call.steps.get(Step.AMD, call.ended or now), answered=False)
                return True
            else:
                return call.outcome is not None
        late = followed.answered + call.abandon_seconds
        connected = call.steps.get(Step.AGENT)
        if connected is not None:
            self._tell("end", float(connected > late))
        elif call.outcome is Outcome.ABANDONED or (call.outcome is None and now > late):
            self._tell("end", 1.0)
        else:
            return call.outcome is not None
        return True

    def _fate(self, followed: _Followed, at: float, *, answered: bool) -> None:
        """A call was answered by a person, or ended without one, at an instant."""
        age = max(0.0, at - followed.call.steps[Step.DIALING])
        self._tell("answered" if answered else "failed", age, followed.odds)
        if followed.features:
            self._answering.observe(followed.features, answered)

    def _learn_agents(self, crew: Mapping[str, PacedAgent]) -> None:
        """Learn how long talks and wrap-ups last, from the agents' states at the last look and now."""
        for name, now in crew.items():
            before = self._crew.get(name)
            if before is None or before.state == now.state:
                continue
            if before.state == "talking":
                self._tell("talk", max(0.0, now.since - before.since))
                if now.state == "free":
                    self._tell("wrap_up", 0.0)
            elif before.state == "wrapup" and now.state == "free":
                self._tell("wrap_up", max(0.0, before.wrapup_until - before.since))
        self._crew = crew
