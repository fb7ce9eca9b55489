"""Pacing at work on one Asterisk: how many calls each project may begin.

A pool of agents with a predictive project has a pilot (worker/pacing/pilot.py); this module shows it what Asterisk and
the database say. All other projects are paced by matching calls and agents.

In each turn `look` comes first; `quotas` and `reserve` go by what it saw. Code that begins calls holds a Reservation
until it knows which of them were begun; meanwhile nobody else gets their agents.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from sqlalchemy.exc import DBAPIError

from worker.asterisk.session import Session
from worker.backoff import Backoff
from worker.clock import Clock
from worker.db import Database
from worker.db.routines.instants import instant
from worker.db.routines.pacing import Pacing
from worker.dialling.pools import Pool, settings_of, sharing, split
from worker.dialling.records import Records, Row
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import Claim, Step, Work
from worker.pacing import progressive
from worker.pacing.journal import encode
from worker.pacing.pilot import LEDGER_SECONDS, Counts, Decided, PacedCase, Pilot, Sight

STATUS_SECONDS = 1.0
"""How long after AgentConnect an agent's status in the queue may still say that the agent is free."""


@dataclass(eq=False)
class Reservation:
    """Calls of a project that are being begun, while it is not known yet whether they may be. It ends when the caller
    leaves its `with` block, or by `drop` if nobody will."""

    item: Work
    claims: Sequence[Claim]
    """The cases that may be begun."""
    guaranteed: set[int]
    """Cases among them whose number was abandoned before, and for which an agent is guaranteed."""
    _pacer: Pacer

    def begun(self, cases: Container[int]) -> None:
        """Note that these cases were permitted and sent."""
        self._pacer._begun(self, [claim for claim in self.claims if claim.case_id in cases])

    def drop(self) -> None:
        """Note that no more of them will be begun."""
        self._pacer._drop(self)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.drop()


class Pacer:
    """Decides how many calls each project may begin."""

    def __init__(self, session: Session, database: Database, clock: Clock) -> None:
        self._session = session
        self._kept = Pacing(database)
        self._clock = clock
        self._records = Records(session, self._kept, clock)
        self._pools: list[Pool] = []
        self._of_project: dict[str, Pool] = {}
        self._room: Mapping[str, int] = {}
        """Lines left, by project, at the last look."""
        self._windows: dict[str, tuple[float, list[Counts]]] = {}
        """By project: when they were read, and what they were."""
        self._guarded: set[int] = set()
        """Cases in flight whose number was abandoned before: an agent has to be there for them."""
        self._reserved: dict[str, Reservation] = {}
        """By project."""
        self._broken: dict[str, Backoff] = {}
        """Projects whose pacing ran into an error."""

    # --- a turn ------------------------------------------------------------------------------------------------

    def look(self, items: Sequence[Work], room: Mapping[str, int], hands: Mapping[str, Sequence[Claim]]) -> None:
        """Show the pilots the current situation; those whose time has come decide.

        room: lines left, hands: cases claimed and not dialled, by project. Raises DatabaseUnavailable. Any other error
        affects only the projects that it concerns: they are dialled progressively, or not at all, until it is over.
        """
        self._room = room
        self._guarded &= {call.case_id for call in self._session.tracker.calls()}
        self._form_pools(items)
        now = self._clock.monotonic()
        for pool in self._pools:
            if any(self._resting(project) for project in pool.projects):
                pool.pilot.hold(now)
                continue
            try:
                mine = [item for item in items if item.project_id in pool.projects]
                decided = pool.pilot.look(self._sight(pool, mine, hands, now))
                if decided is not None:
                    self._record(pool, mine, decided)
            except DatabaseUnavailable:
                raise
            except Exception as error:
                pool.pilot.hold(now)
                self._failed(pool.projects, error)
            else:
                self._worked(pool.projects)

    def quotas(self, items: Sequence[Work]) -> dict[str, int]:
        """How many more calls each of these projects may begin. items: the projects in the order in which they are
        served."""
        shares = self._matched(items)
        for pool in self._pools:
            mine = [item for item in items if item.project_id in pool.projects]
            shares.update(split(pool.pilot.left - self._being_begun(pool), mine, self._room, shares))
        return shares

    def reserve(self, item: Work, claims: Sequence[Claim], quota: int) -> Reservation:
        """Reserve agents and lines for calls that are about to be begun.

        A number that was abandoned before is called only with an agent guaranteed: there must be one for each call in
        flight, so no more calls than that are begun along with it. (Without an agent, begin puts the case off.)
        """
        pool = self._of_project.get(item.project_id)
        certain = quota if pool is None else max(0, min(quota, pool.pilot.spare - self._being_begun(pool)))
        if certain > 0 and any(claim.guarded for claim in claims[:certain]):
            claims = claims[:certain]
        guaranteed = {claim.case_id for claim in claims[:certain] if claim.guarded}
        reservation = Reservation(item, claims, guaranteed, self)
        if item.serves_agents:
            self._reserved[item.project_id] = reservation
        return reservation

    def _begun(self, reservation: Reservation, claims: Sequence[Claim]) -> None:
        self._guarded |= reservation.guaranteed
        project_id = reservation.item.project_id
        pool = self._of_project.get(project_id)
        if pool is not None:
            now = self._clock.time()
            up = {call.case_id: call for call in self._session.tracker.calls() if call.project_id == project_id}
            for claim in claims:
                pool.pilot.begun(up.get(claim.case_id), _known(pool, project_id, claim), now)
            for row in pool.rows:
                if row.project_id == project_id:
                    row.granted += len(claims)
        self._drop(reservation)

    def _drop(self, reservation: Reservation) -> None:
        if self._reserved.get(reservation.item.project_id) is reservation:
            del self._reserved[reservation.item.project_id]

    def wait(self) -> float | None:
        """Seconds until the next decision is due; None: no decision depends on the clock."""
        now = self._clock.monotonic()
        return min((pool.pilot.next_in(now) for pool in self._pools), default=None)

    # --- between turns -----------------------------------------------------------------------------------------

    def gap(self) -> None:
        """From now until the next look, events may be missed."""
        for pool in self._pools:
            pool.pilot.gap()

    def save(self) -> None:
        """Write the journal's rows and the learned states that are due; this does not wait for long."""
        self._records.save(self._pilots())

    def save_all(self) -> None:
        """Write everything. Raises DatabaseUnavailable and StatementTimedOut."""
        for pool in self._pools:
            self._close_rows(pool)
        self._records.save_all(self._pilots())

    def _pilots(self) -> dict[str, Pilot]:
        return {project: pool.pilot for pool in self._pools for project in pool.projects}

    # --- what goes wrong ---------------------------------------------------------------------------------------

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

    # --- pools -------------------------------------------------------------------------------------------------

    def _form_pools(self, items: Sequence[Work]) -> None:
        agents = self._session.agents
        serving = {item.project_id: item for item in items if item.serves_agents}
        teams = {project: agents.team(item.queue) for project, item in serving.items()}
        predictive = {project for project, item in serving.items() if item.type == "predictive"}
        before = self._of_project
        self._pools, self._of_project = [], {}
        for members in sharing(teams, predictive):
            if any(self._resting(one) for one in members) and not any(one in before for one in members):
                continue
            try:
                self._add_pool(members, [serving[one] for one in sorted(members)], before)
            except (StatementTimedOut, DBAPIError) as error:
                self._failed(members, error)  # unreadable, but not to be learned anew for that

    def _add_pool(self, members: frozenset[str], items: Sequence[Work], before: Mapping[str, Pool]) -> None:
        settings = settings_of([item for item in items if item.type == "predictive"])
        known = [before[project] for project in sorted(members) if project in before]
        if known:
            pool = max(known, key=lambda one: one.pilot.finished)
            if pool in self._pools:  # the pool was split, and its other half has the pilot
                pool = Pool(Pilot.from_dict(pool.pilot.as_dict(), settings))
            pool.pilot.adapt(settings)
        else:
            pool = Pool(self._records.load(members, settings))
        agents = self._session.agents
        pool.projects = members
        pool.queues = frozenset(agents.queue_named(item.queue) or item.queue for item in items)
        self._pools.append(pool)
        self._of_project.update(dict.fromkeys(members, pool))

    # --- for the pilots ----------------------------------------------------------------------------------------

    def _sight(self, pool: Pool, items: Sequence[Work], hands: Mapping[str, Sequence[Claim]], now: float) -> Sight:
        calls = self._session.tracker.calls()
        mine = [call for call in calls if call.project_id in pool.projects]
        # Calls of projects that were stopped meanwhile; they still need agents.
        others = [call for call in calls if call.project_id not in pool.projects and call.queue in pool.queues]
        return Sight(
            now=now,
            time=self._clock.time(),
            calls=mine,
            others=others,
            crew=self._session.agents.crew(pool.queues),
            taken=self._taken(),
            windows=[counts for item in items if item.type == "predictive" for counts in self._ledger(item, now)],
            lines=sum(self._room[item.project_id] for item in items),
            hand=[_known(pool, item.project_id, claim) for item in items for claim in hands.get(item.project_id, ())],
            guarded=any(call.case_id in self._guarded and call.wants_agent for call in [*mine, *others]),
        )

    def _ledger(self, item: Work, now: float) -> list[Counts]:
        read, windows = self._windows.get(item.project_id, (-LEDGER_SECONDS, []))
        if now - read >= LEDGER_SECONDS:
            found = self._kept.abandon_ledger(item.project_id, instant(self._clock))
            windows = [Counts(one.connected, one.abandoned, one.lost) for one in found]
            self._windows[item.project_id] = (now, windows)
        return windows

    def _record(self, pool: Pool, items: Sequence[Work], decided: Decided) -> None:
        self._close_rows(pool)
        shares = split(decided.quota, items, self._room, {})
        for item in items:
            if item.type == "predictive":
                # It is one decision for all of them, so its inputs are stored with the first.
                inputs = "" if pool.rows else encode(decided.entry)
                share = shares[item.project_id]
                pool.rows.append(Row(decided.at, item.project_id, decided.mode, share, decided.reason, inputs))

    def _close_rows(self, pool: Pool) -> None:
        self._records.add(pool.rows)
        pool.rows = []

    def _being_begun(self, pool: Pool) -> int:
        return sum(len(self._reserved[project].claims) for project in pool.projects if project in self._reserved)

    # --- progressive -------------------------------------------------------------------------------------------

    def _matched(self, items: Sequence[Work]) -> dict[str, int]:
        """Quotas by matching calls and free agents; a project that does not serve agents gets all the lines it has."""
        agents = self._session.agents
        queues = {item.project_id: item.queue for item in items if item.serves_agents}
        wanted = {project: self._room[project] for project in queues}
        in_flight: dict[str, int] = {}
        for project, reservation in self._reserved.items():
            in_flight[project] = len(reservation.claims)
            queues.setdefault(project, reservation.item.queue)
        for call in self._session.tracker.calls():
            if call.wants_agent:
                in_flight[call.project_id] = in_flight.get(call.project_id, 0) + 1
                queues.setdefault(call.project_id, call.queue)  # stopped meanwhile; its calls still count
        taken = self._taken()
        free = {project: agents.free(queue) - taken for project, queue in queues.items()}
        teams = {project: agents.team(queue) for project, queue in queues.items()}
        shares = {item.project_id: self._room[item.project_id] for item in items}
        shares.update(progressive.quotas(free, in_flight, wanted, teams))
        return shares

    def _taken(self) -> set[str]:
        """Agents to whom Asterisk has just given one of our calls: the call is no longer counted as waiting, but their
        status in the queue changes only a moment later."""
        agents = self._session.agents
        recent = self._clock.monotonic() - STATUS_SECONDS
        taken: set[str] = set()
        for call in self._session.tracker.calls():
            taken |= {agents.person(interface) for interface in call.offered}
            if call.agent and call.steps.get(Step.AGENT, recent) > recent:
                taken.add(agents.person(call.agent))
        return taken


def _known(pool: Pool, project_id: str, claim: Claim) -> PacedCase:
    return PacedCase(project_id if len(pool.projects) > 1 else None, claim.dials, claim.last_outcome)
