"""The cases in hand, claimed and not dialled yet, and each project's requests to the database.

A claim or a begin takes milliseconds, unless somebody's transaction is in its way, with locked rows or index gaps, or
with a hundred thousand rows that are not committed yet. That must not hold up the other projects. So each request for a
project is an errand in a greenlet of its own, one at a time per project. A turn waits a moment for it, then goes on to
the next project; the answer wakes another turn. The server gives an errand up after some seconds. Whatever it runs into
is that project's trouble alone: it is reported to readers and tried again at growing intervals, or as soon as somebody
says that the project or its cases have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, field
from math import inf

import gevent
from sqlalchemy.exc import DBAPIError

from worker.backoff import Backoff
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.cases import Cases
from worker.db.routines.instants import instant
from worker.errors import CaseNotBegun, DatabaseUnavailable, DialerError, StatementTimedOut
from worker.model import Claim, Ownership, Work
from worker.supervisor import LINGER_SECONDS, errand
from worker.troubles import Troubles

ASK_SECONDS = 2.0
"""The server gives up an errand that takes longer; normally it takes one to twenty milliseconds."""
ERRANDS_MOST = 8
FAILING_MOST = 3
"""Most errands at once, since each may hold a connection while it waits; and most among them that failed before."""
EMPTY_SECONDS = 0.02
EMPTY_MOST_SECONDS = 1.0
"""From a claim that came back empty although a case was due (its number is in a call, or somebody's transaction holds
it) to the next. Doubles from the first value to the second."""
SOONER_SECONDS = 1.0
"""From a change of the project's cases to the next try of what failed; not at once, since a client that writes row by
row wakes us with each row."""

CLAIM = "claim"
BEGIN = "begin"
RELEASE = "release"
OBSTACLE = "obstacle"
ORIGINATE = "originate"
CASE = "case"
FIT = "fit"
DIAL = "dial"
_TOLD = {
    CLAIM: "it gets no cases",
    BEGIN: "its calls cannot be begun",
    CASE: "not all its cases can be begun",
    RELEASE: "cases that were claimed cannot be given back",
    FIT: "what it needs on this Asterisk cannot be looked at",
    OBSTACLE: "what it lacks on this Asterisk cannot be written",
    ORIGINATE: "its calls cannot be sent",
    DIAL: "it cannot be dialled",
}


def _said(error: Exception) -> str:
    if isinstance(error, StatementTimedOut):
        return error.told
    if isinstance(error, DBAPIError):
        return reason(error)
    return str(error) or type(error).__name__


@dataclass
class Hand:
    """A project's cases that are claimed and not dialled, in dial order, and its requests."""

    project_id: str
    cases: list[Claim] = field(default_factory=list)
    shunned: set[int] = field(default_factory=set)
    """Cases that could not be begun even alone; now and then one of them is tried again."""
    careful: bool = False
    """Begin cases one by one, since several at once failed."""
    retry: float = 0.0
    """Begin none before this instant of monotonic(): lines or calls per second are used up."""
    empty: Backoff = field(default_factory=lambda: Backoff(EMPTY_SECONDS, EMPTY_MOST_SECONDS))
    """Claims in a row that came back empty although a case was due."""
    rests: dict[str, Backoff] = field(default_factory=dict)
    """What has failed, by step."""
    unreleased: bool = False
    """There may be claims to give back that have not been given back yet."""
    answered: bool = False
    """A claim has succeeded and no turn has gone by its answer yet."""
    changed: bool = True
    """Its cases have changed and nobody has looked at them since."""
    settle_from: float = 0.0
    """Do not ask for its state before this instant of monotonic()."""
    task: gevent.Greenlet[..., None] | None = None
    """The last errand."""
    error: DatabaseUnavailable | None = None
    """What the last errand ran into, until it is reported."""

    def busy(self) -> bool:
        """Is an errand under way?"""
        return self.task is not None and not self.task.ready()

    def failing(self) -> bool:
        """Is any of its steps failing?"""
        return any(backoff.failures for backoff in self.rests.values())

    def left(self, now: float, *steps: str) -> float:
        """Seconds until all these steps may be tried again."""
        return max((self.rests[step].left(now) for step in steps if step in self.rests), default=0.0)

    def ready(self) -> int:
        """How many cases can be begun, as far as is known."""
        return len(self.cases) - len(self.shunned)

    def choose(self, count: int, now: float) -> list[Claim]:
        """The cases to begin next: a shunned one alone if its time has come, otherwise those that are not shunned."""
        if self.shunned and self.left(now, CASE) <= 0:
            return [next(claim for claim in self.cases if claim.case_id in self.shunned)]
        return [claim for claim in self.cases if claim.case_id not in self.shunned][: 1 if self.careful else count]


class Hopper:
    """The cases in hand of one Asterisk's projects."""

    def __init__(
        self, owner: Ownership, database: Database, clock: Clock, wake: Callable[[], object], troubles: Troubles
    ) -> None:
        """`wake` asks for another turn."""
        self._owner = owner
        self._cases = Cases(database)
        self._clock = clock
        self._wake = wake
        self._troubles = troubles
        self._hands: dict[str, Hand] = {}

    def hand(self, project_id: str) -> Hand:
        """The cases in hand of a project; an empty hand if the project is new."""
        if project_id not in self._hands:
            self._hands[project_id] = Hand(project_id)
        return self._hands[project_id]

    def cases(self) -> dict[str, list[Claim]]:
        """What is in hand, by project, in dial order."""
        return {project: hand.cases for project, hand in self._hands.items()}

    def in_use(self) -> bool:
        """May anything have been claimed since everything was given back?"""
        return bool(self._hands)

    def rests(self, project_id: str) -> float | None:
        """Seconds for which nothing can be done for a project; None: it can be dialled.

        inf: an errand of it is under way, and `wake` will be called.
        """
        hand = self.hand(project_id)
        if hand.busy():
            return inf  # it may hold the project's row, and another errand would wait for that
        if hand.error is not None:
            return None  # to be reported
        now = self._clock.monotonic()
        left = hand.left(now, BEGIN, ORIGINATE, DIAL)
        if hand.unreleased:
            left = max(left, hand.left(now, RELEASE))
        elif not hand.cases:
            left = max(left, hand.left(now, CLAIM), hand.empty.left(now))
        return left if left > 0 else None

    # --- errands ---------------------------------------------------------------------------------------------

    def run(self, project_id: str, step: str, work: Callable[[], object]) -> bool:
        """Do `work` for a project. True: it is over, successfully or not. False: it, or other errands, take long, and
        `wake` will be called. Raises what `work` finds wrong with the database as a whole (DatabaseUnavailable)."""
        hand = self.hand(project_id)
        busy = [other for other in self._hands.values() if other.busy()]
        failing = sum(other.failing() for other in busy)
        if hand.busy() or len(busy) >= ERRANDS_MOST or (hand.failing() and failing >= FAILING_MOST):
            return False
        task = hand.task = errand(self._do, hand, project_id, step, work)
        task.join(LINGER_SECONDS)
        if not task.ready():
            task.link(lambda _: self._wake())
            return False
        self.tell(hand)
        return True

    def _do(self, hand: Hand, project_id: str, step: str, work: Callable[[], object]) -> None:
        try:
            work()
        except DatabaseUnavailable as error:
            hand.error = error
        except Exception as error:
            self.failed(project_id, step, error)
        else:
            self.worked(project_id, step)

    @staticmethod
    def tell(hand: Hand) -> None:
        """Raise what an errand found wrong with the database as a whole."""
        error, hand.error = hand.error, None
        if error is not None:
            raise error

    def failed(self, project_id: str, step: str, error: Exception) -> None:
        """A step of a project failed: report it to readers, and try it again after a while."""
        backoff = self.hand(project_id).rests.setdefault(step, Backoff())
        backoff.failed(self._clock.monotonic())
        unforeseen = None if isinstance(error, (DialerError, DBAPIError)) else error
        self._troubles.note("project", project_id, step, f"{_TOLD[step]}: {_said(error)}", unforeseen)

    def worked(self, project_id: str, step: str) -> None:
        """Note that a step of a project worked."""
        backoff = self.hand(project_id).rests.get(step)
        if backoff is not None and backoff.over():
            self._troubles.note("project", project_id, step, None)

    def shun(self, hand: Hand, claim: Claim, error: Exception) -> None:
        """A case could not be begun, even alone: the others go first, and it is tried again later. Raises CaseNotBegun
        if this was such a later try."""
        known = claim.case_id in hand.shunned
        hand.shunned.add(claim.case_id)
        hand.cases.sort(key=lambda other: other.case_id == claim.case_id)  # next time, another shunned case
        alone = CaseNotBegun(claim.case_id, _said(error))
        if known:
            raise alone from error
        self.failed(hand.project_id, CASE, alone)

    def drop(self, hand: Hand, done: Collection[int] | None = None) -> None:
        """Those cases, or all, are no longer in hand."""
        hand.cases = [claim for claim in hand.cases if done is not None and claim.case_id not in done]
        hand.shunned &= {claim.case_id for claim in hand.cases}
        if not hand.shunned:
            self.worked(hand.project_id, CASE)

    def changed(self, project_id: str) -> None:
        """Somebody says that a project or its cases (of any project: '') have changed: what failed may work now."""
        soon = self._clock.monotonic() + SOONER_SECONDS
        for project, hand in self._hands.items():
            if project_id in ("", project):
                hand.changed = True
                hand.empty.over()
                if not project_id:
                    hand.retry = 0.0  # a trunk's, perhaps
                for backoff in hand.rests.values():
                    backoff.sooner(soon)

    # --- claiming and giving back ----------------------------------------------------------------------------

    def fill(self, item: Work, count: int) -> float | None:
        """Have up to `count` more cases claimed; seconds until it makes sense to ask again, None: once there is a
        reason to.

        The cases are in hand when this returns, unless the claim takes long: then the project rests meanwhile, and the
        next call goes by the answer and asks for no more. Otherwise, where every claim takes long, one would follow the
        other, and what they have brought would never be begun. Raises what this errand or an earlier one ran into
        (DatabaseUnavailable).
        """
        hand = self.hand(item.project_id)
        self.tell(hand)
        now = self._clock.monotonic()
        left = max(hand.left(now, CLAIM), hand.empty.left(now))
        answered, hand.answered = hand.answered, False
        if answered and hand.changed:
            return left  # after what is in hand
        if left <= 0 and not answered:
            if not self.run(item.project_id, CLAIM, lambda: self._claim(hand, item, count)):
                return 0.0  # the others can have what it was granted
            hand.answered = False
            if hand.unreleased:
                self.give_back(item.project_id)
            now = self._clock.monotonic()
            left = max(hand.left(now, CLAIM), hand.empty.left(now))
        return left if left > 0 else None

    def settle(self, item: Work, again_seconds: float) -> None:
        """Ask for the state of a project now and then, even if it may begin nothing: its cases may all be waiting for a
        later hour. Raises DatabaseUnavailable."""
        hand = self.hand(item.project_id)
        hand.answered = False  # it will be old when the project may begin something
        now = self._clock.monotonic()
        due = item.until_at is not None and item.until_at.timestamp() <= self._clock.time()
        if hand.cases or now < hand.settle_from or not (hand.changed or due or item.state == "running"):
            return
        hand.settle_from = now + again_seconds
        if hand.left(now, CLAIM) <= 0:
            self.run(item.project_id, CLAIM, lambda: self._ask(hand, item, 0))

    def _claim(self, hand: Hand, item: Work, count: int) -> None:
        try:
            # The first claim that comes back empty marks the project as hungry. Look once more after that, for a case
            # that was inserted before the mark was visible.
            claimed = self._ask(hand, item, count) or (self._ask(hand, item, count) if item.state == "running" else [])
        except StatementTimedOut:
            # Its time may have run out just after its commit; then cases are claimed that nobody knows of.
            self.drop(hand)
            hand.unreleased = True
            raise
        hand.cases += claimed
        hand.answered = True
        if claimed or item.until_at is None or item.until_at.timestamp() > self._clock.time():
            hand.empty.over()
        else:
            hand.empty.failed(self._clock.monotonic())

    def _ask(self, hand: Hand, item: Work, count: int) -> list[Claim]:
        hand.changed = False
        return self._cases.claim(
            self._owner,
            item.project_id,
            count,
            instant(self._clock),
            timeout_seconds=ASK_SECONDS,
        )

    def give_back(self, project_id: str) -> None:
        """Give back the cases in hand of a project, now or as soon as possible. Raises DatabaseUnavailable."""
        hand = self.hand(project_id)
        self.drop(hand)
        hand.unreleased = True
        if not hand.busy() and hand.left(self._clock.monotonic(), RELEASE) <= 0:
            self.run(project_id, RELEASE, lambda: self._release(hand, project_id))

    def _release(self, hand: Hand, project_id: str) -> None:
        self._cases.release(self._owner, project_id, timeout_seconds=ASK_SECONDS)
        hand.unreleased = False

    def tidy(self, projects: Container[str]) -> None:
        """Give back the cases in hand of projects that are not among these, and those that could not be given back
        before. Raises DatabaseUnavailable."""
        for project, hand in list(self._hands.items()):
            if hand.busy():
                continue
            self.tell(hand)
            if hand.unreleased or (hand.cases and project not in projects):
                self.give_back(project)
            if project not in projects and not (hand.busy() or hand.unreleased):
                for step in hand.rests:
                    self.worked(project, step)
                del self._hands[project]

    def wait(self) -> None:
        """Wait until no errand is under way."""
        gevent.joinall([hand.task for hand in self._hands.values() if hand.task is not None])

    def release_all(self) -> None:
        """Give back all cases in hand, and those that errands under way will bring. Raises DatabaseUnavailable and
        StatementTimedOut."""
        self.wait()
        for hand in self._hands.values():
            self.drop(hand)
            hand.unreleased = True  # in case they cannot be given back all at once
        self._cases.release(self._owner, timeout_seconds=ASK_SECONDS)
        self._hands = {project: hand for project, hand in self._hands.items() if hand.failing()}
        for hand in self._hands.values():
            hand.unreleased = False
