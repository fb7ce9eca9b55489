"""A day of dialling by itself: people, agents and a pacing policy; no Asterisk, no database, no sockets.

It draws the same fates from the same scenario as the simulated Asterisk (`behaviour`), but plays only what pacing sees
and brings about: who is called when, who answers, who finds an agent in time. Eight hours of thirty agents take
seconds, so policies can be compared over many days.

What it leaves out, and what a real day has: the way of a call through database and AMI (a call is dialled at the
instant it is decided on), lines and calls per second (there are enough), agents who do not pick up or refuse, and
queues that share only some agents (all are one pool; wrapuptime is that of the first queue).

What counts is as in the ledger: abandoned is a person for whom no agent was there `abandon_seconds` after the answer,
or after AMD()'s verdict; the call ends then. A person who left before is in neither count. Whom AMD() takes for a
machine is hung up on; a machine that it takes for a person counts as one.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from math import inf
from typing import NamedTuple

from simulator.people import Behaviour, draw, offered, uniforms
from simulator.scenario import Agent, Mix, Scenario, ScenarioError, Subscribers
from worker.pacing.answering import Answering
from worker.pacing.learned import Learned
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window
from worker.pacing.predictive import decide
from worker.pacing.settings import PacingSettings

TICK_SECONDS = 1.0
"""From one decision to the next, when nothing happens."""
SOONEST_SECONDS = 0.2
"""From one decision to the next at least, whatever happens."""
ATTEMPTS_TOLD_APART = 6
"""The sixth attempt of a case and later ones are alike."""


# --- who is called ---------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Somebody to call. dials: attempts before this one; last_outcome: of the last of them."""

    number: str
    dials: int = 0
    last_outcome: str | None = None


@dataclass(frozen=True)
class Redial:
    """What becomes of cases that were called in vain: without it, nobody is called twice.

    again: seconds until the next attempt, by outcome; most_dials: attempts of a case at most; odds: a factor on the
    odds that a case answers, against the scenario's mix. It is the truth; policies see cases, not this.
    """

    again: Mapping[str, float]
    most_dials: int
    odds: Callable[[Case], float]


class CaseList:
    """New cases without end, and in turn with them those whose time has come again."""

    def __init__(self, redial: Redial | None = None) -> None:
        self.redial = redial
        self._new = (Case(str(number)) for number in count(7_000_000))
        self._later: list[tuple[float, int, Case]] = []
        self._serial = count()
        self._hand: deque[Case] = deque()

    def look(self, cases: int, now: float) -> Sequence[Case]:
        """Those who will be called next, so many of them."""
        while len(self._hand) < cases:
            self._hand.append(self._next(now))
        return [self._hand[index] for index in range(cases)]

    def take(self, now: float) -> Case:
        """Who is called now."""
        return self._hand.popleft() if self._hand else self._next(now)

    def _next(self, now: float) -> Case:
        if self._later and self._later[0][0] <= now and next(self._serial) % 2:
            return heapq.heappop(self._later)[2]
        return next(self._new)

    def ended(self, case: Case, outcome: str, now: float) -> None:
        """A call of that case was in vain."""
        if self.redial is None or outcome not in self.redial.again or case.dials + 1 >= self.redial.most_dials:
            return
        tried = Case(case.number, case.dials + 1, outcome)
        heapq.heappush(self._later, (now + self.redial.again[outcome], next(self._serial), tried))


# --- who decides -----------------------------------------------------------------------------------------------------


class Policy:
    """What a day asks and tells; this one never calls anybody. Ages and durations are seconds."""

    def odds(self, case: Case, now: float) -> float:
        """How likely that case answers, as a factor on the odds of the usual one."""
        return 1.0

    def quota(self, seen: Observation) -> int:
        """How many calls to begin now."""
        return 0

    def answered(self, case: Case, age: float, odds: float, now: float) -> None:
        """A person is on the line."""

    def failed(self, case: Case, age: float, odds: float, now: float) -> None:
        """A call ended without a person."""

    def ended(self, *, abandoned: bool) -> None:
        """A person who answered has got an agent, or was abandoned."""

    def talked(self, seconds: float) -> None:
        """An agent's talk has ended."""

    def wrapped_up(self, seconds: float) -> None:
        """An agent's wrap-up has ended; 0 where there is none."""


class Predictive(Policy):
    """The project's own pacing, told what the worker would tell it.

    cases_differ: False takes all cases for alike, as if nothing were known of them.
    """

    def __init__(self, settings: PacingSettings, *, cases_differ: bool = True) -> None:
        self.settings = settings
        self.learned = Learned(settings)
        self.reasons: dict[str, int] = {}
        """Decisions by what decided."""
        self._answering = Answering() if cases_differ else None

    def odds(self, case: Case, now: float) -> float:
        return 1.0 if self._answering is None else round(self._answering.odds(_known(case, now)), 2)

    def quota(self, seen: Observation) -> int:
        self.learned.observe(seen)
        decision = decide(seen, self.learned, self.settings)
        self.reasons[decision.reason] = self.reasons.get(decision.reason, 0) + 1
        self.learned.observe_begun(decision.quota, decision.threshold, decision.risk)
        return decision.quota

    def answered(self, case: Case, age: float, odds: float, now: float) -> None:
        self.learned.observe_answered(age, odds)
        if self._answering is not None:
            self._answering.observe(_known(case, now), True)

    def failed(self, case: Case, age: float, odds: float, now: float) -> None:
        self.learned.observe_failed(age, odds)
        if self._answering is not None:
            self._answering.observe(_known(case, now), False)

    def ended(self, *, abandoned: bool) -> None:
        self.learned.observe_end(abandoned=abandoned)

    def talked(self, seconds: float) -> None:
        self.learned.observe_talk(seconds)

    def wrapped_up(self, seconds: float) -> None:
        self.learned.observe_wrap_up(seconds)


def _known(case: Case, now: float) -> dict[str, str]:
    return {
        "attempt": str(min(case.dials, ATTEMPTS_TOLD_APART - 1) + 1),
        "last": case.last_outcome or "none",
        "hour": str(int(now % 86_400 // 3600)),
    }


# --- the day ---------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What a day has brought. seconds_talking, seconds_there: of all agents together; breaks are not in the second."""

    dialled: int = 0
    answered: int = 0
    """By a person, as far as Asterisk can tell."""
    connected: int = 0
    abandoned: int = 0
    left: int = 0
    """Who hung up before the limit."""
    failed: int = 0
    machines: int = 0
    """Calls that AMD() gave up; they are among the failed ones."""
    seconds_talking: float = 0.0
    seconds_there: float = 0.0
    waited: float = 0.0
    """Seconds that those who were connected had to wait, together."""

    @property
    def utilisation(self) -> float:
        """Share of their time that agents talk."""
        return self.seconds_talking / self.seconds_there if self.seconds_there else 0.0

    @property
    def rate(self) -> float:
        """Abandoned among the people who answered, as the law counts."""
        return self.abandoned / max(1, self.connected + self.abandoned)

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in Figures.__dataclass_fields__))


@dataclass(eq=False)
class _Agent:
    """state: free, ringing, talking, wrap-up (the queue's, whose end is known) or paused (break, notes)."""

    spec: Agent
    state: str = "free"
    since: float = 0.0
    wrapped_up_at: float = 0.0
    noted_at: float = 0.0
    """Until then they are paused, to write a note."""
    on_break: bool = False
    break_since: float = 0.0
    call: _Call | None = None


@dataclass(eq=False)
class _Call:
    """state: ringing, amd, waiting, offered, talking or over."""

    case: Case
    fate: Behaviour
    odds: float
    dialled: float
    state: str = "ringing"
    person_at: float = inf
    connected: float = inf
    agent: _Agent | None = None
    offers: int = 0


@dataclass(frozen=True)
class Rules:
    """amd: AMD() listens first. ring_seconds: dialled, and nobody answers. abandon_seconds: see the module's docstring.

    lend_seconds: what a Window calls seconds_left; ledger_seconds: how old the counts in it may be; cases_ahead: of
    how many cases a policy knows before it decides that they will be called next (the worker claims what a decision
    asks for after it, so none).
    """

    ring_seconds: float = 25.0
    abandon_seconds: float = 2.0
    amd: bool = False
    lend_seconds: float = 300.0
    ledger_seconds: float = 5.0
    cases_ahead: int = 0


@dataclass
class Day:
    """One pool of agents, from `begins` (a second of the day, UTC) for so many seconds."""

    scenario: Scenario
    policy: Policy
    seconds: float
    seed: int = 1
    begins: float = 9 * 3600.0
    rules: Rules = Rules()
    redial: Redial | None = None
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        for spec in self.scenario.agents:
            if spec.answers < 1 or spec.busy or not spec.present or spec.paused:
                raise ScenarioError(
                    f"The agent {spec.interface} does not take every call, which a day without an Asterisk cannot"
                    " play: leave answers, busy, present and paused as they are by default."
                )
        self.now = self.begins
        self._agents = [_Agent(spec, since=self.begins) for spec in self.scenario.agents]
        self._wrap = self.scenario.queues[0].wrapuptime if self.scenario.queues else 0
        self._cases = CaseList(self.redial)
        self._free: deque[_Agent] = deque(self._agents)
        """Who has been free the longest comes first."""
        self._waiting: deque[_Call] = deque()
        self._flying: dict[_Call, None] = {}
        """Nobody has answered, or AMD() listens; in the order they were dialled."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._decided = -inf
        self._decision_due = inf
        self._windows: list[Window] = []
        self._windows_at = -inf
        self._settled = [0, 0]
        """Connected and abandoned, of the calls that are over: the ledger counts a call when it ends."""
        self._worlds: dict[float, Subscribers] = {1.0: self.scenario.subscribers}

    def run(self) -> Figures:
        """Play it, once."""
        end = self.begins + self.seconds
        for agent in self._agents:
            self._plan_break(agent, 0)
        self._want_decision()
        while self._events and self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = end
        for agent in self._agents:
            self.figures.seconds_there += self.seconds
            if agent.on_break:
                self.figures.seconds_there -= end - agent.break_since
            if agent.state == "talking":
                self.figures.seconds_talking += end - agent.since
        return self.figures

    # --- time ------------------------------------------------------------------------------------------------

    def _at(self, instant: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (instant, next(self._serial), event))

    def _want_decision(self) -> None:
        """Something has happened: decide as soon as may be."""
        self._decide_at(max(self.now, self._decided + SOONEST_SECONDS))

    def _decide_at(self, instant: float) -> None:
        if instant < self._decision_due:
            self._decision_due = instant
            self._at(instant, self._decide)

    def _decide(self) -> None:
        if self.now < self._decision_due:  # it was made earlier than planned, and this is the plan
            return
        self._decided, self._decision_due = self.now, inf
        for _ in range(self.policy.quota(self._observe())):
            self._dial(self._cases.take(self.now))
        self._decide_at(self.now + TICK_SECONDS)

    def _observe(self) -> Observation:
        now = self.now
        if now - self._windows_at >= self.rules.ledger_seconds:
            connected, abandoned = self._settled
            self._windows = [Window(connected + abandoned, abandoned, self.rules.lend_seconds)]
            self._windows_at = now
        ahead = self._cases.look(self.rules.cases_ahead, now) if self.rules.cases_ahead else ()
        return Observation(
            now=round(now, 2),
            agents=[self._seen(agent) for agent in self._agents if not agent.on_break and agent.noted_at <= now],
            calls=[ObservedCall(now - call.dialled, call.odds, call.state == "amd") for call in self._flying],
            waiting=len(self._waiting),
            windows=self._windows,
            next_odds=[self.policy.odds(case, now) for case in ahead],
        )

    def _seen(self, agent: _Agent) -> ObservedAgent:
        if agent.state == "free":
            return ObservedAgent("free")
        left = agent.wrapped_up_at - self.now if agent.state == "wrap-up" else None
        return ObservedAgent(agent.state, self.now - agent.since, left)

    # --- calls -----------------------------------------------------------------------------------------------

    def _dial(self, case: Case) -> None:
        now = self.now
        self.figures.dialled += 1
        fate = draw(self._people(case), self.seed, case.number, case.dials, now)
        call = _Call(case, fate, self.policy.odds(case, now), now)
        self._flying[call] = None
        over = now + self.rules.ring_seconds
        if fate.answer_after is not None and fate.first_response + fate.answer_after < self.rules.ring_seconds:
            self._at(now + fate.first_response + fate.answer_after, lambda: self._answer(call))
        elif fate.sip:
            outcome = "BUSY" if fate.sip == 486 else "FAILED"
            self._at(min(over, now + fate.first_response), lambda: self._fail(call, outcome))
        else:
            self._at(over, lambda: self._fail(call, "NOANSWER"))

    def _people(self, case: Case) -> Subscribers:
        odds = 1.0 if self.redial is None else self.redial.odds(case)
        if odds not in self._worlds:
            people = self.scenario.subscribers
            self._worlds[odds] = replace(people, mixes=tuple(_with_odds(mix, odds) for mix in people.mixes))
        return self._worlds[odds]

    def _answer(self, call: _Call) -> None:
        if not self.rules.amd:
            self._person(call)
            return
        call.state = "amd"
        fate = call.fate
        if fate.bears_silence is not None and fate.bears_silence < fate.verdict_after:
            self._at(self.now + fate.bears_silence, lambda: self._fail(call, "EARLY_HANGUP"))
        elif fate.verdict == "MACHINE":
            self._at(self.now + fate.verdict_after, lambda: self._fail(call, "MACHINE"))
        else:
            self._at(self.now + fate.verdict_after, lambda: self._person(call))
        self._want_decision()

    def _fail(self, call: _Call, outcome: str) -> None:
        del self._flying[call]
        call.state = "over"
        self.figures.failed += 1
        self.figures.machines += outcome == "MACHINE"
        self.policy.failed(call.case, self.now - call.dialled, call.odds, self.now)
        self._cases.ended(call.case, outcome, self.now)
        self._want_decision()

    def _person(self, call: _Call) -> None:
        del self._flying[call]
        call.state, call.person_at = "waiting", self.now
        self.figures.answered += 1
        self.policy.answered(call.case, self.now - call.dialled, call.odds, self.now)
        limit = self.rules.abandon_seconds
        if call.fate.patience is not None and call.fate.patience < limit:
            self._at(self.now + call.fate.patience, lambda: self._give_up(call, abandoned=False))
        else:
            self._at(self.now + limit, lambda: self._give_up(call, abandoned=True))
        self._waiting.append(call)
        self._match()
        self._want_decision()

    def _give_up(self, call: _Call, *, abandoned: bool) -> None:
        """No agent in time, if there is none by now."""
        if call.state not in ("waiting", "offered"):
            return
        if call.state == "waiting":
            self._waiting.remove(call)
        agent, call.agent = call.agent, None
        call.state = "over"
        if abandoned:
            self.figures.abandoned += 1
            self._settled[1] += 1
            self.policy.ended(abandoned=True)
        else:
            self.figures.left += 1
        if agent is not None:
            agent.call = None
            self._release(agent)
        self._want_decision()

    # --- agents ----------------------------------------------------------------------------------------------

    def _match(self) -> None:
        """Ring the agents who are free for those who wait."""
        while self._waiting and self._free:
            call, agent = self._waiting.popleft(), self._free.popleft()
            call.state, call.agent, agent.call = "offered", agent, call
            agent.state, agent.since = "ringing", self.now
            deed = offered(agent.spec, self.seed, call.case.number, call.case.dials, call.offers)
            call.offers += 1
            connect = partial(self._connect, call, agent, deed.talk, deed.wrap_up)
            self._at(self.now + (deed.pick_up or 0.0), connect)

    def _connect(self, call: _Call, agent: _Agent, own_talk: float, notes: float) -> None:
        if agent.call is not call:  # it was given up meanwhile
            return
        assert agent.state == "ringing", f"an agent who is {agent.state} gets another call"
        call.state, call.connected = "talking", self.now
        agent.state, agent.since = "talking", self.now
        self.figures.connected += 1
        self.figures.waited += self.now - call.person_at
        self.policy.ended(abandoned=False)
        talk = own_talk if call.fate.talk is None else call.fate.talk
        self._at(self.now + talk, lambda: self._hang_up(call, agent, talk, notes))
        self._want_decision()

    def _hang_up(self, call: _Call, agent: _Agent, talk: float, notes: float) -> None:
        call.state, call.agent, agent.call = "over", None, None
        self.figures.seconds_talking += talk
        self._settled[0] += 1
        self.policy.talked(talk)
        agent.since = self.now
        if notes > 0 and not agent.on_break:
            agent.noted_at = self.now + notes
            self._at(agent.noted_at, lambda: self._release(agent))
        if self._wrap:
            # app_queue counts whole seconds: time(NULL) - lastcall < wrapuptime
            agent.state, agent.wrapped_up_at = "wrap-up", int(self.now) + self._wrap
            self._at(agent.wrapped_up_at, lambda: self._wrapped_up(agent))
        else:
            if agent.noted_at <= self.now and not agent.on_break:
                self.policy.wrapped_up(0.0)
            self._release(agent)
        self._want_decision()

    def _wrapped_up(self, agent: _Agent) -> None:
        if agent.state == "wrap-up" and agent.noted_at <= self.now and not agent.on_break:
            self.policy.wrapped_up(agent.wrapped_up_at - agent.since)
        self._release(agent)

    def _release(self, agent: _Agent) -> None:
        """The agent is free, unless something else keeps them."""
        if agent.call is not None or agent.on_break or max(agent.wrapped_up_at, agent.noted_at) > self.now:
            return
        if agent in self._free:
            return
        agent.state, agent.since = "free", self.now
        self._free.append(agent)
        self._match()
        self._want_decision()

    def _plan_break(self, agent: _Agent, taken: int) -> None:
        u = uniforms(self.seed, agent.spec.interface, "break", taken)
        after, length = agent.spec.break_after.at(u[0]), agent.spec.break_length.at(u[1])
        if after > 0:
            self._at(self.now + after, lambda: self._begin_break(agent, taken, length))

    def _begin_break(self, agent: _Agent, taken: int, length: float) -> None:
        agent.on_break, agent.break_since = True, self.now
        if agent in self._free:
            self._free.remove(agent)
            agent.state = "paused"
        self._at(self.now + length, lambda: self._end_break(agent, taken))
        self._want_decision()

    def _end_break(self, agent: _Agent, taken: int) -> None:
        agent.on_break = False
        self.figures.seconds_there -= self.now - agent.break_since
        self._plan_break(agent, taken + 1)
        self._release(agent)


def _with_odds(mix: Mix, odds: float) -> Mix:
    """A mix in which that factor is on the odds of an answer; the rest keeps its proportions."""
    answer = odds * mix.answer / (1 - mix.answer + odds * mix.answer)
    rest = (1 - answer) / (1 - mix.answer) if mix.answer < 1 else 1.0
    return replace(mix, answer=answer, busy=mix.busy * rest, failure=mix.failure * rest)
