"""Pacing at work on one Asterisk: pools of agents are watched, decided for, and the decisions kept.

A pool is what projects share: their calls compete for the same agents, so one decision is made for all of them and
its quota is split by priority. A pool without a predictive project is paced progressively, by matching calls and
agents. So is one whose projects share only some of their agents: prediction counts agents who can take any call.

Learned states and the journal are saved by the way; a decision never waits for the database to have them.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import exp, inf
from typing import NamedTuple

import gevent
from sqlalchemy.exc import DBAPIError

from worker.asterisk.agents import Presence
from worker.asterisk.session import PATIENCE_SECONDS, Session
from worker.backoff import Backoff
from worker.calls.call import Call
from worker.clock import Clock
from worker.db import Database, procedures
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import AbandonWindow, Claim, Outcome, PacingDecision, Step, Work
from worker.pacing import progressive
from worker.pacing.answering import Answering
from worker.pacing.journal import DIGITS, Entry, Fact, encode
from worker.pacing.learned import Learned
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall, Window
from worker.pacing.predictive import Decision, decide
from worker.pacing.settings import PacingSettings
from worker.supervisor import errand

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""From one decision to the next, when nothing happens."""
SOONEST_SECONDS = 0.2
"""From one decision to the next at least, whatever happens."""
STATUS_SECONDS = 1.0
"""How long after AgentConnect an agent's status in the queue may still say that he is free."""
LEDGER_SECONDS = 5.0
"""How old the counts of abandoned calls may be."""
SAVE_SECONDS = 30.0
"""How much learning a killed worker may lose."""
WRITE_SECONDS = 2.0
"""The journal's rows are written together."""
GIVE_UP_SECONDS = 2.0
"""The server gives up writing them then; a row that somebody holds is written later."""
SNAPSHOT_SECONDS = 1800.0
"""The journal holds the whole learned state so often; it can be replayed from there."""
LEND_SECONDS = 300.0
"""The abandon target counts on the answers of so long ahead: enough to steer by, and little enough that calling may
end at any moment with the rate where it has to be."""
FACT_DIGITS = 6
"""Of what is learned and written."""
ATTEMPTS_TOLD_APART = 6
"""The sixth attempt of a case and later ones are alike."""
ROWS_MOST = 1000
"""Rows of the journal that wait for a database that is away; older ones are dropped."""

_NOT_LEARNED = frozenset({Outcome.FAILED, Outcome.CANCELLED, Outcome.TECHNICAL, Outcome.LOST})
"""Endings that say nothing about how people answer."""


@dataclass(eq=False)
class _Watched:
    """A call whose fate is learned."""

    call: Call
    odds: float
    features: Mapping[str, str]
    answered: float | None = None
    """When a person was on the line."""


class _Demand(NamedTuple):
    """What a pool's projects could dial. room: lines left, hands: cases claimed and not dialled, by project."""

    items: list[Work]
    room: Mapping[str, int]
    hands: Mapping[str, Sequence[Claim]]


@dataclass
class _Row:
    """A row of the journal in the making."""

    at: float
    project_id: str
    mode: str
    quota: int
    reason: str
    inputs: str
    granted: int = 0

    def as_decision(self, now: float) -> PacingDecision:
        """As it is written at `now`."""
        ago = round(max(0.0, now - self.at), 3)
        return PacingDecision(self.project_id, ago, self.mode, self.quota, self.granted, self.reason, self.inputs)


@dataclass(eq=False)
class _Pool:
    """Projects that share agents, one of them predictive at least."""

    settings: PacingSettings
    learned: Learned
    answering: Answering
    projects: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    decision: Decision = field(default_factory=lambda: Decision(0, "nothing decided yet"))
    decided: float = -inf
    left: int = 0
    """Of the quota."""
    begun: int = 0
    """Calls begun since the decision."""
    spare: int = 0
    """Free agents for whom no call is in flight: for so many calls an agent is guaranteed."""
    facts: list[Fact] = field(default_factory=list)
    """Learned since the last decision."""
    watched: dict[Call, _Watched | None] = field(default_factory=dict)
    """Calls that are up; None: there is nothing more to be learned from it."""
    presence: dict[str, Presence] = field(default_factory=dict)
    snapshot_due: float = 0.0
    rows: list[_Row] = field(default_factory=list)
    """The journal's rows of the last decision; what was granted of it is still to be known."""

    def tell(self, name: str, *arguments: float) -> None:
        """Learn something, and remember for the journal that it was learned."""
        fact = Fact(name, tuple(round(value, FACT_DIGITS) for value in arguments))
        fact.teach(self.learned)
        self.facts.append(fact)

    def fate(self, watched: _Watched, at: float, *, answered: bool) -> None:
        """Learn that a call was answered by a person, or ended without one, at an instant."""
        age = max(0.0, at - watched.call.steps[Step.DIALING])
        self.tell("answered" if answered else "failed", age, watched.odds)
        if watched.features:
            self.answering.observe(watched.features, answered)


class Pacer:
    """Decides how many calls each project may begin."""

    def __init__(self, session: Session, database: Database, clock: Clock) -> None:
        self._session = session
        self._database = database
        self._clock = clock
        self._pools: list[_Pool] = []
        self._of_project: dict[str, _Pool] = {}
        self._windows: dict[str, tuple[float, list[AbandonWindow]]] = {}
        self._features: dict[int, Mapping[str, str]] = {}
        """What is known of the cases in flight."""
        self._odds: dict[Call, float] = {}
        """Odds of being answered, of the calls in flight."""
        self._guarded: set[int] = set()
        """Cases in flight whose number was abandoned before: an agent has to be there for them."""
        self._asked: dict[str, tuple[str, int]] = {}
        """Queue and number of the calls that are being begun, by project; whether they may is not known yet."""
        self._broken: dict[str, Backoff] = {}
        """Projects whose pacing has run into an error."""
        self._rows: deque[_Row] = deque(maxlen=ROWS_MOST)
        self._writer: gevent.Greenlet[..., None] | None = None
        self._unwritten = Backoff()
        self._saved = clock.monotonic()
        self._written = clock.monotonic()

    # --- what the dialer asks --------------------------------------------------------------------------------

    def look(self, items: Sequence[Work], room: Mapping[str, int], hands: Mapping[str, Sequence[Claim]]) -> None:
        """Learn what has happened, and decide for the pools whose time has come.

        room: lines left, hands: cases claimed and not dialled, by project. Raises DatabaseUnavailable. Another error is
        that of the projects alone that it concerns: they are dialled progressively, or not at all, until it is over.
        """
        self._forget()
        self._form_pools(items)
        now = self._clock.monotonic()
        for pool in self._pools:
            if any(self._resting(project) for project in pool.projects):
                pool.decided = now
                continue
            try:
                self._learn(pool)
                if now - pool.decided >= SOONEST_SECONDS:
                    mine = [item for item in items if item.project_id in pool.projects]
                    self._decide(pool, _Demand(mine, room, hands))
            except DatabaseUnavailable:
                raise
            except Exception as error:
                pool.left = pool.spare = 0
                pool.decided = now
                self._failed(pool.projects, error)
            else:
                self._worked(pool.projects)

    def _forget(self) -> None:
        """What is known of calls that are over."""
        up = set(self._session.tracker.calls())
        cases = {call.case_id for call in up}
        self._guarded &= cases
        self._odds = {call: odds for call, odds in self._odds.items() if call in up}
        self._features = {case: known for case, known in self._features.items() if case in cases}

    def _resting(self, project_id: str) -> bool:
        return project_id in self._broken and self._broken[project_id].left(self._clock.monotonic()) > 0

    def _failed(self, projects: Iterable[str], error: Exception) -> None:
        for project in projects:
            self._broken.setdefault(project, Backoff()).failed(self._clock.monotonic())
            unforeseen = None if isinstance(error, (StatementTimedOut, DBAPIError)) else error
            self._session.troubles.note("project", project, "pacing", f"it is not paced: {error}", unforeseen)

    def _worked(self, projects: Iterable[str]) -> None:
        for project in projects:
            if self._broken.pop(project, None) is not None:
                self._session.troubles.note("project", project, "pacing", None)

    def quotas(self, items: Sequence[Work], room: Mapping[str, int]) -> dict[str, int]:
        """How many more calls each of these projects may begin. items: who comes first is served first."""
        shares = self._matched(items, room)
        for pool in self._pools:
            mine = [item for item in items if item.project_id in pool.projects]
            shares.update(_split(pool.left - self._being_begun(pool), mine, room, shares))
        return shares

    def _being_begun(self, pool: _Pool) -> int:
        return sum(self._asked[project][1] for project in pool.projects if project in self._asked)

    def guaranteed(self, project_id: str, quota: int) -> int:
        """For how many of the next calls of a project an agent is free whom nobody else can get."""
        pool = self._of_project.get(project_id)
        return quota if pool is None else max(0, min(quota, pool.spare - self._being_begun(pool)))

    def asked(self, item: Work, count: int) -> None:
        """So many calls of a project are being begun; 0: the answer is there. Until then their agents are taken."""
        self._asked.pop(item.project_id, None)
        if count and item.serves_agents:
            self._asked[item.project_id] = item.queue, count

    def begun(self, project_id: str, claims: Sequence[Claim], guarded: Set[int]) -> None:
        """Calls of these cases were begun; guarded: those to numbers that were abandoned before."""
        self._guarded |= guarded
        pool = self._of_project.get(project_id)
        if pool is None:
            return
        for claim in claims:
            self._features[claim.case_id] = self._known(project_id, claim)
        pool.begun += len(claims)
        pool.left -= len(claims)
        pool.spare -= len(claims)
        for row in pool.rows:
            if row.project_id == project_id:
                row.granted += len(claims)
        self._watch(pool)  # now: a call may fail before anybody looks again

    def wait(self) -> float | None:
        """Seconds until the next decision is due; None: nothing is decided by the clock."""
        if not self._pools:
            return None
        now = self._clock.monotonic()
        return max(0.0, min(pool.decided + TICK_SECONDS - now for pool in self._pools))

    def gap(self) -> None:
        """Events were missed: how long things take still holds, how eagerly people answer may have changed."""
        for pool in self._pools:
            pool.learned.gap()
            pool.watched.clear()
            pool.presence.clear()
            pool.facts.clear()
            pool.begun = 0
            pool.snapshot_due = 0.0

    def save(self) -> None:
        """Write what is due: the journal's rows, the learned states; nobody waits for it for long."""
        now = self._clock.monotonic()
        rows = bool(self._rows) and now - self._written >= WRITE_SECONDS
        states = bool(self._pools) and now - self._saved >= SAVE_SECONDS
        if not (rows or states) or self._writing() or self._unwritten.left(now) > 0:
            return
        self._writer = errand(self._write, rows, states)
        self._writer.join(PATIENCE_SECONDS)

    def save_all(self) -> None:
        """Write all that there is. Raises DatabaseUnavailable and StatementTimedOut."""
        if self._writer is not None:
            self._writer.join()
        for pool in self._pools:
            self._close_rows(pool)
        if self._rows:
            self._write_rows()
        if self._pools:
            self._write_states()

    def _writing(self) -> bool:
        return self._writer is not None and not self._writer.ready()

    def _write(self, rows: bool, states: bool) -> None:
        trouble: str | None = None
        try:
            if rows:
                self._write_rows()
            if states:
                self._write_states()
        except DatabaseUnavailable:
            return  # others wait for it
        except (StatementTimedOut, DBAPIError) as error:
            self._unwritten.failed(self._clock.monotonic())
            trouble = f"what it has learned and decided cannot be written: {error}"
        else:
            self._unwritten.over()
        self._session.troubles.note("asterisk", self._session.name, "pacing", trouble)

    def _write_rows(self) -> None:
        now = self._clock.monotonic()
        rows = list(self._rows)
        self._rows.clear()
        try:
            procedures.journal_write(
                self._database,
                self._session.owner,
                [row.as_decision(now) for row in rows],
                procedures.instant(self._clock),
                timeout_seconds=GIVE_UP_SECONDS,
            )
        except BaseException:
            self._rows.extendleft(reversed(rows))
            raise
        self._written = now

    def _write_states(self) -> None:
        states = {
            project: json.dumps({"learned": pool.learned.as_dict(), "answering": pool.answering.as_dict()})
            for pool in self._pools
            for project in pool.projects
        }
        procedures.pacing_save(
            self._database,
            self._session.owner,
            states,
            procedures.instant(self._clock),
            timeout_seconds=GIVE_UP_SECONDS,
        )
        self._saved = self._clock.monotonic()

    # --- pools -----------------------------------------------------------------------------------------------

    def _form_pools(self, items: Sequence[Work]) -> None:
        agents = self._session.agents
        serving = {item.project_id: item for item in items if item.serves_agents}
        teams = {project: agents.team(item.queue) for project, item in serving.items()}
        before = self._of_project
        self._pools, self._of_project = [], {}
        while teams:
            project, team = teams.popitem()
            sharing = {other for other, others in teams.items() if not others.isdisjoint(team)}
            alike = all(teams[other] == team for other in sharing)
            for other in sharing:
                team = team | teams.pop(other)
            members = frozenset(sharing | {project})
            further = any(not others.isdisjoint(team) for others in teams.values())
            if not alike or further or not any(serving[one].type == "predictive" for one in members):
                continue
            if any(self._resting(one) for one in members) and not any(one in before for one in members):
                continue
            try:
                self._add_pool(members, [serving[one] for one in sorted(members)], before)
            except (StatementTimedOut, DBAPIError) as error:
                self._failed(members, error)  # what was learned cannot be read: it is not begun anew for that

    def _add_pool(self, members: frozenset[str], items: list[Work], before: Mapping[str, _Pool]) -> None:
        settings = _settings([item for item in items if item.type == "predictive"])
        known = [before[project] for project in sorted(members) if project in before]
        pool = max(known, key=lambda one: one.learned.finished) if known else self._load(members, settings)
        if pool.projects and pool in self._pools:  # it was split, and its other half has it
            pool = _Pool(
                settings,
                Learned.from_dict(pool.learned.as_dict(), settings),
                Answering.from_dict(pool.answering.as_dict()),
            )
        if pool.settings != settings:
            pool.learned = Learned.from_dict(pool.learned.as_dict(), settings)
            pool.settings = settings
            pool.snapshot_due = 0.0
        agents = self._session.agents
        pool.projects = members
        pool.queues = frozenset(agents.queue_named(item.queue) or item.queue for item in items)
        self._pools.append(pool)
        self._of_project.update(dict.fromkeys(members, pool))

    def _load(self, projects: frozenset[str], settings: PacingSettings) -> _Pool:
        learned, answering = Learned(settings), Answering()
        for project in sorted(projects):
            found = procedures.pacing_load(self._database, project)
            if found is None:
                continue
            try:
                state = json.loads(found[0])
                saved = Learned.from_dict(state["learned"], settings)
                model = Answering.from_dict(state["answering"])
            except (ValueError, KeyError, TypeError) as error:
                log.warning(
                    "what was learned cannot be read, begun anew",
                    extra={"action": "pacing_load", "project_id": project, "why": str(error)},
                )
                continue
            if saved.finished > learned.finished:
                learned, answering = saved, model
        return _Pool(settings, learned, answering)

    # --- progressive -----------------------------------------------------------------------------------------

    def _matched(self, items: Sequence[Work], room: Mapping[str, int]) -> dict[str, int]:
        """Quotas by matching calls and free agents; what does not serve agents gets the lines that it has."""
        agents = self._session.agents
        queues = {item.project_id: item.queue for item in items if item.serves_agents}
        wanted = {project: room[project] for project in queues}
        in_flight: dict[str, int] = {}
        for project, (queue, count) in self._asked.items():
            in_flight[project] = count
            queues.setdefault(project, queue)
        for call in self._session.tracker.calls():
            if call.wants_agent:
                in_flight[call.project_id] = in_flight.get(call.project_id, 0) + 1
                queues.setdefault(call.project_id, call.queue)  # stopped meanwhile; its calls still count
        taken = self._taken()
        free = {project: agents.free(queue) - taken for project, queue in queues.items()}
        teams = {project: agents.team(queue) for project, queue in queues.items()}
        shares = {item.project_id: room[item.project_id] for item in items}
        shares.update(progressive.quotas(free, in_flight, wanted, teams))
        return shares

    def _taken(self) -> set[str]:
        """Agents whom Asterisk has just given one of our calls: that call is not counted any more, and their
        status in the queue says so only a moment later."""
        agents = self._session.agents
        recent = self._clock.monotonic() - STATUS_SECONDS
        taken: set[str] = set()
        for call in self._session.tracker.calls():
            taken |= {agents.person(interface) for interface in call.offered}
            if call.agent and call.steps.get(Step.AGENT, recent) > recent:
                taken.add(agents.person(call.agent))
        return taken

    # --- predictive ------------------------------------------------------------------------------------------

    def _calls(self, pool: _Pool) -> list[Call]:
        """Calls that may need an agent of the pool; those of projects that were stopped meanwhile too."""
        return [
            call
            for call in self._session.tracker.calls()
            if call.wants_agent and (call.project_id in pool.projects or call.queue in pool.queues)
        ]

    def _decide(self, pool: _Pool, demand: _Demand) -> None:
        self._close_rows(pool)
        if pool.begun:
            pool.tell("begun", pool.begun, pool.decision.threshold, pool.decision.risk)
            pool.begun = 0
        now = self._clock.monotonic()
        calls = self._calls(pool)
        observation = self._observe(pool, calls, demand, now)
        state = None
        if now >= pool.snapshot_due:
            # Whoever replays goes on from what is written, so this does too.
            state = pool.learned.as_dict()
            pool.learned = Learned.from_dict(state, pool.settings)
            pool.snapshot_due = now + SNAPSHOT_SECONDS
            facts: list[Fact] = []
        else:
            facts = pool.facts
        pool.facts = []
        pool.learned.observe(observation)
        decision = decide(observation, pool.learned, pool.settings)
        entry = Entry(observation, pool.settings, facts, decision.quota, state)
        pool.decision, pool.decided = decision, now
        pool.left, pool.spare = decision.quota, observation.spare
        reason = decision.reason
        if any(call.case_id in self._guarded for call in calls) and pool.left > max(0, pool.spare):
            pool.left = max(0, pool.spare)
            reason = "progressive: a number that was abandoned before is being called"
        shares = _split(pool.left, demand.items, demand.room, {})
        for item in demand.items:
            if item.type == "predictive":
                pool.rows.append(
                    _Row(
                        now,
                        item.project_id,
                        _mode(pool.settings, reason),
                        shares[item.project_id],
                        reason,
                        # One decision for all of them: its inputs stand with the first.
                        "" if pool.rows else encode(entry),
                    )
                )

    def _close_rows(self, pool: _Pool) -> None:
        self._rows.extend(pool.rows)
        pool.rows = []

    def _observe(self, pool: _Pool, calls: list[Call], demand: _Demand, now: float) -> Observation:
        taken = self._taken()
        agents = [
            ObservedAgent("ringing") if interface in taken and one.state == "free" else _agent(one, now)
            for interface, one in self._session.agents.crew(pool.queues).items()
            if one.there
        ]
        waiting = [call for call in calls if call.answered and not call.under_amd]
        ringing = [call for call in calls if not call.answered or call.under_amd]
        return Observation(
            now=round(now, DIGITS),
            agents=agents,
            calls=[
                ObservedCall(
                    round(max(0.0, now - call.steps.get(Step.DIALING, call.begun)), DIGITS),
                    self._odds.get(call, 1.0),
                    call.under_amd,
                )
                for call in ringing
            ],
            waiting=len(waiting),
            windows=[
                window for item in demand.items if item.type == "predictive" for window in self._ledger(pool, item, now)
            ],
            lines=sum(demand.room[item.project_id] for item in demand.items),
            next_odds=[
                round(pool.answering.odds(self._known(item.project_id, claim)), DIGITS)
                for item in demand.items
                for claim in demand.hands.get(item.project_id, ())
            ],
        )

    def _ledger(self, pool: _Pool, item: Work, now: float) -> list[Window]:
        """The windows of the abandon target. Of the calls that got lost, as many are charged as people usually
        answer: nobody knows that they were not abandoned."""
        read, windows = self._windows.get(item.project_id, (-LEDGER_SECONDS, []))
        if now - read >= LEDGER_SECONDS:
            windows = procedures.abandon_ledger(self._database, item.project_id, procedures.instant(self._clock))
            self._windows[item.project_id] = (now, windows)
        share = 1 - exp(-pool.learned.level.mean)
        return [
            Window(
                round(one.connected + one.abandoned + share * one.lost, DIGITS),
                round(one.abandoned + share * one.lost, DIGITS),
                LEND_SECONDS,
            )
            for one in windows
        ]

    def _known(self, project_id: str, claim: Claim) -> dict[str, str]:
        """What is known of a case that may tell how likely it answers."""
        hour = datetime.fromtimestamp(self._clock.time(), UTC).hour
        return {
            "project": project_id,
            "attempt": str(min(claim.dials, ATTEMPTS_TOLD_APART - 1) + 1),
            "last": claim.last_outcome or "none",
            "hour": str(hour),
        }

    # --- learning --------------------------------------------------------------------------------------------

    def _watch(self, pool: _Pool) -> None:
        for call in self._session.tracker.calls():
            if call.project_id in pool.projects and call not in pool.watched and not call.unwatched:
                features = self._features.pop(call.case_id, {})
                odds = self._odds[call] = round(pool.answering.odds(features), DIGITS)
                pool.watched[call] = _Watched(call, odds, features)

    def _learn(self, pool: _Pool) -> None:
        self._watch(pool)
        for call, watched in list(pool.watched.items()):
            if watched is not None and self._follow(pool, watched):
                pool.watched[call] = None
            if call.outcome is not None:
                del pool.watched[call]
        self._follow_agents(pool)

    def _follow(self, pool: _Pool, watched: _Watched) -> bool:
        """Learn from a call what is new; True when there is nothing more to come."""
        call = watched.call
        if Step.DIALING not in call.steps:
            return call.outcome is not None
        if watched.answered is None:
            person = call.person_at
            if person is not None:
                watched.answered = person
                pool.fate(watched, person, answered=True)
            elif call.without_agent or (call.outcome is not None and call.outcome not in _NOT_LEARNED):
                over = call.steps.get(Step.AMD, call.ended or self._clock.monotonic())
                pool.fate(watched, over, answered=False)
                return True
            else:
                return call.outcome is not None
        late = watched.answered + call.abandon_seconds
        connected = call.steps.get(Step.AGENT)
        if connected is not None:
            pool.tell("end", float(connected > late))
        elif call.outcome is Outcome.ABANDONED or (call.outcome is None and self._clock.monotonic() > late):
            pool.tell("end", 1.0)
        else:
            return call.outcome is not None
        return True

    def _follow_agents(self, pool: _Pool) -> None:
        """Learn how long talks and wrap-ups last, from what agents did when last looked at and do now."""
        crew = self._session.agents.crew(pool.queues)
        for interface, now in crew.items():
            before = pool.presence.get(interface)
            if before is None or before.state == now.state:
                continue
            if before.state == "talking":
                pool.tell("talk", max(0.0, now.since - before.since))
                if now.state == "free":
                    pool.tell("wrap_up", 0.0)
            elif before.state == "wrapup" and now.state == "free":
                pool.tell("wrap_up", max(0.0, before.wrapup_until - before.since))
        pool.presence = crew


def _agent(presence: Presence, now: float) -> ObservedAgent:
    seconds = round(max(0.0, now - presence.since), DIGITS)
    if presence.state == "wrapup":
        return ObservedAgent("wrap-up", seconds, round(presence.wrapup_until - now, DIGITS))
    return ObservedAgent(presence.state, seconds if presence.state != "free" else 0.0)


def _settings(items: Sequence[Work]) -> PacingSettings:
    """Of projects that share agents: where they differ, the more careful value."""
    ratios = [item.dial_ratio for item in items]
    return PacingSettings(
        abandon_target=min(item.abandon_target for item in items) / 100,
        patience_seconds=min(item.abandon_seconds for item in items),
        ring_timeout=max(item.dial_seconds for item in items),
        most_calls_per_agent=min(item.calls_per_agent for item in items),
        least_agents=max(item.predictive_agents for item in items),
        ratio=None if None in ratios else min(ratio for ratio in ratios if ratio is not None),
        amd=any(item.amd for item in items),
    )


def _mode(settings: PacingSettings, reason: str) -> str:
    if reason.startswith("progressive"):
        return "progressive"
    return "predictive" if settings.ratio is None else "ratio"


def _split(left: int, items: Sequence[Work], room: Mapping[str, int], matched: Mapping[str, int]) -> dict[str, int]:
    """What is left of a pool's quota among its projects: by priority; among equals one call each in turn."""
    shares = dict.fromkeys((item.project_id for item in items), 0)
    for priority in sorted({item.priority for item in items}, reverse=True):
        hungry = [item for item in items if item.priority == priority]
        while left > 0 and hungry:
            still = []
            for item in hungry:
                most = room[item.project_id]
                if item.type != "predictive":
                    most = min(most, matched.get(item.project_id, 0))
                if left > 0 and shares[item.project_id] < most:
                    shares[item.project_id] += 1
                    left -= 1
                    still.append(item)
            hungry = still
    return shares
