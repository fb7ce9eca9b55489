"""A day of dialling on its own: people, agents, and a policy that paces it; no Asterisk, no database, no sockets.

It draws the same fates from the same scenario as the simulated Asterisk (`people`), but simulates only what pacing sees
and causes: who is called when, who answers, who gets an agent in time. Eight hours of thirty agents take seconds, so
policies can be compared over many days.

It leaves out some things that a real day has: a call's way through database and AMI (it is dialled at the instant of
the decision), limits on lines and calls per second, agents who do not pick up or refuse, and queues that share only
some agents (all are one pool; wrapuptime is that of the first queue).

It counts like the ledger: a person is abandoned if no agent was there `abandon_seconds` after the answer, or after
AMD()'s verdict; the call ends then. A person who left before that is in neither count. AMD() hangs up on anybody it
takes for a machine; a machine that it takes for a person counts as a person.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from math import inf
from typing import NamedTuple

from simulator.cases import Case, CaseList, Redial
from simulator.people import Behaviour, draw, offered, uniforms
from simulator.policies import Policy, paced
from simulator.scenario import Agent, Mix, Scenario, ScenarioError, Subscribers
from worker.model import Outcome, Step
from worker.pacing.pilot import LEDGER_SECONDS, SOONEST_SECONDS, TICK_SECONDS, Counts, Sight


@dataclass
class Figures:
    """The result of a day. seconds_talking, seconds_there: of all agents together; the second is without breaks."""

    dialled: int = 0
    answered: int = 0
    """By a person, as far as Asterisk can tell."""
    connected: int = 0
    abandoned: int = 0
    left: int = 0
    """People who hung up before the limit."""
    failed: int = 0
    machines: int = 0
    """Calls that AMD() gave up; they are among the failed ones."""
    seconds_talking: float = 0.0
    seconds_there: float = 0.0
    waited: float = 0.0
    """The sum of the seconds that connected people had to wait."""

    @property
    def utilisation(self) -> float:
        """The share of their time that agents spend talking."""
        return self.seconds_talking / self.seconds_there if self.seconds_there else 0.0

    @property
    def rate(self) -> float:
        """The share of abandoned calls among the people who answered, as the law counts."""
        return self.abandoned / max(1, self.connected + self.abandoned)

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in Figures.__dataclass_fields__))


class _Presence(NamedTuple):
    """What the pacing sees of an agent, see worker.pacing.pilot.PacedAgent."""

    state: str
    since: float
    wrapup_until: float
    there: bool


@dataclass(eq=False)
class _Agent:
    """state: free, ringing, talking, wrapup (the queue's, whose end is known) or paused (break, notes)."""

    spec: Agent
    state: str = "free"
    since: float = 0.0
    wrapup_until: float = 0.0
    noted_at: float = 0.0
    """Until this instant they are paused, to write a note."""
    on_break: bool = False
    break_since: float = 0.0
    call: _Call | None = None

    def presence(self, now: float) -> _Presence:
        """The agents as the worker sees them: Asterisk reports a telephone in use as such, and an agent both paused and
        in wrap-up as paused."""
        there = not self.on_break and self.noted_at <= now
        if there or self.state in ("ringing", "talking"):
            return _Presence(self.state, max(self.since, self.noted_at), self.wrapup_until, there)
        return _Presence("paused", self.since, self.wrapup_until, there)


@dataclass(eq=False)
class _Call:
    """state: ringing, amd, waiting, offered, talking or over. What the pacing reads of it is described in
    worker.pacing.pilot.PacedCall."""

    case: Case
    fate: Behaviour
    begun: float
    abandon_seconds: float
    steps: dict[Step, float]
    state: str = "ringing"
    person_at: float | None = None
    outcome: Outcome | None = None
    ended: float | None = None
    agent: _Agent | None = None
    offers: int = 0
    without_agent: bool = False
    unwatched: bool = False

    @property
    def answered(self) -> bool:
        return Step.ANSWERED in self.steps

    @property
    def under_amd(self) -> bool:
        return self.state == "amd"

    @property
    def wants_agent(self) -> bool:
        return self.state in ("ringing", "amd", "waiting")

    def end(self, outcome: Outcome, now: float) -> None:
        """The call is over."""
        self.state, self.outcome, self.ended = "over", outcome, now


@dataclass(frozen=True)
class Rules:
    """amd: AMD() listens first. ring_seconds: how long a call may ring unanswered. abandon_seconds: see the module's
    docstring.

    cases_ahead: how many of the next cases a policy knows before it decides (none, as in the worker, which claims what
    a decision asks for only after it).
    """

    ring_seconds: float = 25.0
    abandon_seconds: float = 2.0
    amd: bool = False
    cases_ahead: int = 0


@dataclass
class Day:
    """One pool of agents, from `begins` (a second of the day, UTC), for a number of seconds."""

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
        """The agent who has been free longest comes first."""
        self._waiting: deque[_Call] = deque()
        self._flying: dict[_Call, None] = {}
        """Nobody has answered, or AMD() listens; in the order they were dialled."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._decided = -inf
        self._decision_due = inf
        self._settled = Counts(0, 0)
        """Counts of the calls that are over: the ledger counts a call when it ends."""
        self._read = Counts(0, 0)
        """The same counts, as last read from the ledger."""
        self._read_at = -inf
        self._worlds: dict[float, Subscribers] = {1.0: self.scenario.subscribers}

    def run(self) -> Figures:
        """Run the day, once."""
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
        """Something has happened: decide as soon as possible."""
        self._decide_at(max(self.now, self._decided + SOONEST_SECONDS))

    def _decide_at(self, instant: float) -> None:
        if instant < self._decision_due:
            self._decision_due = instant
            self._at(instant, self._decide)

    def _decide(self) -> None:
        if self.now < self._decision_due:  # it was made earlier than planned, and this is the plan
            return
        self._decided, self._decision_due = self.now, inf
        for _ in range(self.policy.decide(self._sight())):
            self._dial(self._cases.take(self.now))
        self._decide_at(self.now + TICK_SECONDS)

    def _sight(self) -> Sight:
        now = self.now
        if now - self._read_at >= LEDGER_SECONDS:
            self._read, self._read_at = self._settled, now
        ahead = self._cases.look(self.rules.cases_ahead, now) if self.rules.cases_ahead else ()
        return Sight(
            now=now,
            time=now,
            calls=[*self._flying, *self._waiting],
            crew={agent.spec.interface: agent.presence(now) for agent in self._agents},
            windows=[self._read],
            hand=[paced(case) for case in ahead],
        )

    # --- calls -----------------------------------------------------------------------------------------------

    def _dial(self, case: Case) -> None:
        now = self.now
        self.figures.dialled += 1
        fate = draw(self._people(case), self.seed, case.number, case.dials, now)
        call = _Call(case, fate, now, self.rules.abandon_seconds, {Step.DIALING: now})
        self._flying[call] = None
        self.policy.begun(case, call, now)
        over = now + self.rules.ring_seconds
        if fate.answer_after is not None and fate.first_response + fate.answer_after < self.rules.ring_seconds:
            self._at(now + fate.first_response + fate.answer_after, lambda: self._answer(call))
        elif fate.sip:
            outcome = Outcome.BUSY if fate.sip == 486 else Outcome.UNAVAILABLE
            self._at(min(over, now + fate.first_response), lambda: self._fail(call, outcome))
        else:
            self._at(over, lambda: self._fail(call, Outcome.NOANSWER))

    def _people(self, case: Case) -> Subscribers:
        odds = 1.0 if self.redial is None else self.redial.odds(case)
        if odds not in self._worlds:
            people = self.scenario.subscribers
            self._worlds[odds] = replace(people, mixes=tuple(_with_odds(mix, odds) for mix in people.mixes))
        return self._worlds[odds]

    def _answer(self, call: _Call) -> None:
        call.steps[Step.ANSWERED] = self.now
        if not self.rules.amd:
            self._person(call)
            return
        call.state = "amd"
        fate = call.fate
        if fate.bears_silence is not None and fate.bears_silence < fate.verdict_after:
            self._at(self.now + fate.bears_silence, lambda: self._fail(call, Outcome.EARLY_HANGUP))
        elif fate.verdict == "MACHINE":
            self._at(self.now + fate.verdict_after, lambda: self._fail(call, Outcome.MACHINE))
        else:
            self._at(self.now + fate.verdict_after, lambda: self._person(call))
        self._want_decision()

    def _fail(self, call: _Call, outcome: Outcome) -> None:
        del self._flying[call]
        call.end(outcome, self.now)
        self.figures.failed += 1
        self.figures.machines += outcome is Outcome.MACHINE
        self.policy.failed(call.case, self.now - call.begun)
        self._cases.ended(call.case, outcome, self.now)
        self._want_decision()

    def _person(self, call: _Call) -> None:
        del self._flying[call]
        call.state, call.person_at = "waiting", self.now
        self.figures.answered += 1
        self.policy.answered(call.case, self.now - call.begun)
        limit = self.rules.abandon_seconds
        if call.fate.patience is not None and call.fate.patience < limit:
            self._at(self.now + call.fate.patience, lambda: self._give_up(call, abandoned=False))
        else:
            self._at(self.now + limit, lambda: self._give_up(call, abandoned=True))
        self._waiting.append(call)
        self._match()
        self._want_decision()

    def _give_up(self, call: _Call, *, abandoned: bool) -> None:
        """If there is no agent by now, there was none in time."""
        if call.state not in ("waiting", "offered"):
            return
        if call.state == "waiting":
            self._waiting.remove(call)
        agent, call.agent = call.agent, None
        call.end(Outcome.ABANDONED if abandoned else Outcome.EARLY_HANGUP, self.now)
        if abandoned:
            self.figures.abandoned += 1
            self._settled = self._settled._replace(abandoned=self._settled.abandoned + 1)
            self.policy.ended(abandoned=True)
        else:
            self.figures.left += 1
        if agent is not None:
            agent.call = None
            self._release(agent)
        self._want_decision()

    # --- agents ----------------------------------------------------------------------------------------------

    def _match(self) -> None:
        """Ring free agents for those who wait."""
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
        assert call.person_at is not None
        call.state, call.steps[Step.AGENT] = "talking", self.now
        agent.state, agent.since = "talking", self.now
        self.figures.connected += 1
        self.figures.waited += self.now - call.person_at
        self.policy.ended(abandoned=False)
        talk = own_talk if call.fate.talk is None else call.fate.talk
        self._at(self.now + talk, lambda: self._hang_up(call, agent, talk, notes))
        self._want_decision()

    def _hang_up(self, call: _Call, agent: _Agent, talk: float, notes: float) -> None:
        call.end(Outcome.ANSWERED, self.now)
        call.agent = agent.call = None
        self.figures.seconds_talking += talk
        self._settled = self._settled._replace(connected=self._settled.connected + 1)
        self.policy.talked(talk)
        agent.since = self.now
        if notes > 0 and not agent.on_break:
            agent.noted_at = self.now + notes
            self._at(agent.noted_at, lambda: self._release(agent))
        if self._wrap:
            # app_queue counts whole seconds: time(NULL) - lastcall < wrapuptime
            agent.state, agent.wrapup_until = "wrapup", int(self.now) + self._wrap
            self._at(agent.wrapup_until, lambda: self._wrapped_up(agent))
        else:
            agent.state = "paused"  # unless they are released now
            if agent.noted_at <= self.now and not agent.on_break:
                self.policy.wrapped_up(0.0)
            self._release(agent)
        self._want_decision()

    def _wrapped_up(self, agent: _Agent) -> None:
        if agent.state == "wrapup" and agent.noted_at <= self.now and not agent.on_break:
            self.policy.wrapped_up(agent.wrapup_until - agent.since)
        self._release(agent)

    def _release(self, agent: _Agent) -> None:
        """The agent is free, unless something else keeps them."""
        if agent.call is not None or agent.on_break or max(agent.wrapup_until, agent.noted_at) > self.now:
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
    """A mix with that factor on the odds of an answer; the rest keeps its proportions."""
    answer = odds * mix.answer / (1 - mix.answer + odds * mix.answer)
    rest = (1 - answer) / (1 - mix.answer) if mix.answer < 1 else 1.0
    return replace(mix, answer=answer, busy=mix.busy * rest, failure=mix.failure * rest)
