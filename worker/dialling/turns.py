"""Which cases are dialled now: ask the database, ask the pacing, begin, originate.

Each call of `turn` is one turn; whatever wakes it (a notification, a freed agent or line, the time) only means "look".
Every turn asks anew, so nothing stays missed for longer than one poll.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from worker.ami.actions import UnsafeAction
from worker.asterisk.notices import CasesChanged, Look, LookAgain, Obstacle
from worker.asterisk.session import Session
from worker.backoff import Backoff
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.attempts import Attempts
from worker.db.routines.instants import DatabaseClock, instant
from worker.db.routines.projects import Projects
from worker.dialling.fitness import Fitness
from worker.dialling.hopper import ASK_SECONDS, BEGIN, CASE, DIAL, FIT, ORIGINATE, Hand, Hopper
from worker.dialling.pacer import Pacer, Reservation
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.log import masked
from worker.model import Begun, Refusal, Work
from worker.supervisor import LINGER_SECONDS

log = logging.getLogger(__name__)

T = TypeVar("T")

SOON_SECONDS = 0.02
"""The shortest time between turns, so that a burst of wake-ups is answered once."""
AGAIN_SECONDS = 1.0
"""After an error in a project's turn, the shortest time until its next one."""
CLOCKS_SECONDS = 60.0
"""How often the database's clock is compared with ours."""
MOST_AT_ONCE = 100
"""The most attempts begun in one transaction."""

# Refusals that hold for the whole project or Asterisk: its cases in hand are given back.
_NOT_NOW = {"not_owner", "project_stopped", "project_failing", "no_trunk", "trunk_failing"}
_LATER = {"no_line", "pacing"}


class Turns:
    """Dials the projects of one Asterisk."""

    def __init__(
        self,
        session: Session,
        database: Database,
        clock: Clock,
        may_dial: Callable[[], bool],
        poll_seconds: float,
    ) -> None:
        self._session = session
        self._attempts = Attempts(database)
        self._database_clock = DatabaseClock(database)
        self._projects = Projects(database)
        self._clock = clock
        self._may_dial = may_dial
        self._poll_seconds = poll_seconds
        self._pacer = Pacer(session, database, clock)
        self._hopper = Hopper(session.owner, database, clock, partial(session.notices.put, Look()), session.troubles)
        self._fitness = Fitness(session, database, clock, self._hopper, self._wall)
        self._served: dict[str, float] = {}
        """When each project was last dialled, by the clock's monotonic()."""
        self._doubtful = True
        """The database may have claims or attempts of ours that this object does not know of."""
        self._clearing = Backoff()
        self._ahead = 0.0
        """Seconds by which the database's clock is ahead of ours."""
        self._compared = -inf

    def turn(self) -> float:
        """Dial what may be dialled now; seconds until the next turn, if nothing wakes it before.

        Raises DatabaseUnavailable; the next turn first clears up what may have been left behind.
        """
        self._read_notices()
        if not self._session.ready or not self._may_dial():
            self._doubtful = self._doubtful or self._hopper.in_use()
            self._pacer.gap()
            return self._poll_seconds
        try:
            if self._doubtful:
                self._clear_up()
            self._compare_clocks()
            return self._dial()
        except DatabaseUnavailable:
            self._doubtful = True
            raise

    def close(self) -> None:
        """Give back all cases claimed and not dialled, and save what was learned. Raises DatabaseUnavailable and
        StatementTimedOut."""
        self._hopper.release_all()
        self._pacer.save_all()

    def _read_notices(self) -> None:
        for notice in self._session.notices.take():
            match notice:
                case CasesChanged(project_id):
                    self._hopper.changed(project_id)
                case Obstacle(project_id, why):
                    self._fitness.shown(project_id, why)
                case LookAgain():
                    self._fitness.look_again()
                case Look():
                    pass  # here we are

    def _clear_up(self) -> None:
        """Clear up after the database's answer was lost: an attempt that was begun without our knowing was never sent,
        since only we could have sent it, so it ends; and claims that nobody remembers go back."""
        now = self._clock.monotonic()
        if self._clearing.left(now) > 0:
            return
        troubles, name = self._session.troubles, self._session.name
        self._hopper.wait()  # a call that is being begun may be in the ledger before anything here knows of it
        try:
            self._disown_unsent(None)
            self._hopper.release_all()
        except (StatementTimedOut, DBAPIError) as error:
            # Somebody holds a row of one of them; the cases known to be in hand can still be dialled.
            self._clearing.failed(now)
            troubles.note("asterisk", name, "release", f"claims of before cannot be given back: {reason(error)}")
            return
        if self._clearing.over():
            troubles.note("asterisk", name, "release", None)
        self._doubtful = False

    def _disown_unsent(self, requests: Sequence[tuple[int, str, str]] | None) -> set[int]:
        """End the attempts that were begun without our knowing, among these requests or all; returns their cases."""
        tracker = self._session.tracker
        channels = None if requests is None else {channel for _, channel, _ in requests}
        cases = set()
        for attempt in self._attempts.open_on(self._session.name, instant(self._clock), timeout_seconds=ASK_SECONDS):
            if attempt.epoch != self._session.owner.epoch or tracker.knows(attempt.channel_id):
                continue
            if (channels is not None and attempt.channel_id not in channels) or self._session.ledger.holds(
                attempt.attempt_id
            ):
                continue
            tracker.unsent(tracker.adopt(attempt), "begun, but the database's answer was lost; never sent")
            cases.add(attempt.case_id)
        if cases or channels is None:
            self._session.ledger.flush(LINGER_SECONDS)
        return cases

    def _compare_clocks(self) -> None:
        """Seconds until an instant of the database's, by the database's clock."""
        if instant(self._clock) is not None or self._clock.monotonic() < self._compared + CLOCKS_SECONDS:
            return
        asked = time.time()
        told = self._database_clock.now().timestamp()
        self._ahead = told - (asked + time.time()) / 2
        self._compared = self._clock.monotonic()

    def _dial(self) -> float:
        work = self._projects.work(self._session.name)
        self._hopper.tidy({item.project_id for item in work})
        items = [item for item in work if self._alone(item, FIT, partial(self._fitness.fit, item), False)]
        fit = {item.project_id for item in items}
        for item in work:
            if item.project_id not in fit and self._hopper.hand(item.project_id).cases:
                self._hopper.give_back(item.project_id)
        room = {item.project_id: min(item.room or 0, MOST_AT_ONCE) for item in items}
        self._pacer.look(items, room, self._hopper.cases())
        wait = self._poll_seconds
        # By priority, then the longest wait first. If a project has no cases for what it was granted, the others get
        # it, so those that got nothing are looked at again.
        left = []
        for item in sorted(items, key=lambda item: (-item.priority, self._served.get(item.project_id, -inf))):
            rest = self._hopper.rests(item.project_id)
            if rest is None:
                left.append(item)
            else:
                wait = min(wait, rest)
        while left:
            quotas = self._pacer.quotas(left)
            asked = [item for item in left if quotas[item.project_id] > 0]
            for item in asked or left:
                dial = partial(self._dial_project, item, quotas[item.project_id])
                wait = min(wait, self._alone(item, DIAL, dial, AGAIN_SECONDS))
            left = [item for item in left if quotas[item.project_id] <= 0] if asked else []
        self._pacer.save()
        due = (wait, self._session.agents.next_free_in(), self._pacer.wait())
        return max(SOON_SECONDS, min(one for one in due if one is not None))

    def _alone(self, item: Work, step: str, work: Callable[[], T], otherwise: T) -> T:
        """Run one project's `work` so that an error in it does not affect the others."""
        if self._hopper.hand(item.project_id).left(self._clock.monotonic(), step) > 0:
            return otherwise
        try:
            found = work()
        except DatabaseUnavailable:
            raise
        except Exception as error:
            self._hopper.failed(item.project_id, step, error)
            return otherwise
        self._hopper.worked(item.project_id, step)
        return found

    # --- one project -------------------------------------------------------------------------------------

    def _dial_project(self, item: Work, quota: int) -> float:
        """Claim what is missing, begin and originate; seconds until this project wants another turn."""
        now = self._clock.monotonic()
        hand = self._hopper.hand(item.project_id)
        self._hopper.tell(hand)
        if hand.retry > now:
            return hand.retry - now
        if item.trunk_failing and item.trunk_retry_at is not None:
            left = item.trunk_retry_at.timestamp() - self._wall()
            if left > 0:
                if hand.cases:
                    self._hopper.give_back(item.project_id)  # the next try goes to another case
                return left
        if quota <= 0:
            self._hopper.settle(item, self._poll_seconds)
            return self._poll_seconds
        wait = self._poll_seconds
        before = hand.ready()
        if quota > before:
            again = self._hopper.fill(item, quota - before)
            if again is not None:
                wait = min(wait, again)
            if hand.busy():
                return wait
            if hand.ready() == before and item.until_at is not None and again is None:
                wait = max(SOON_SECONDS, min(wait, item.until_at.timestamp() - self._wall()))
        if hand.cases:
            wait = min(wait, self._begin(item, hand, quota))
        return wait

    def _begin(self, item: Work, hand: Hand, quota: int) -> float:
        chosen = hand.choose(quota, self._clock.monotonic())
        if not chosen:
            return hand.left(self._clock.monotonic(), CASE)
        reservation = self._pacer.reserve(item, chosen, quota)
        answer: list[float] = []

        def ask() -> None:
            with reservation:
                answer.append(self._ask_to_begin(item, hand, reservation))

        step = CASE if chosen[0].case_id in hand.shunned else BEGIN
        if not self._hopper.run(item.project_id, step, ask):
            if not hand.busy():
                reservation.drop()  # there was no place for it
            return self._poll_seconds
        if hand.unreleased:
            self._hopper.give_back(item.project_id)
        return answer[0] if answer else hand.left(self._clock.monotonic(), step, ORIGINATE)

    def _ask_to_begin(self, item: Work, hand: Hand, reservation: Reservation) -> float:
        """Begin these cases, and originate the permitted ones; seconds until this project wants another turn."""
        chosen = reservation.claims
        requests = [(claim.case_id, secrets.token_hex(16), secrets.token_hex(16)) for claim in chosen]
        try:
            begun, refused = self._attempts.begin(
                self._session.owner,
                item,
                requests,
                instant(self._clock),
                guaranteed=reservation.guaranteed,
                timeout_seconds=ASK_SECONDS,
            )
        except (StatementTimedOut, DBAPIError) as error:
            hand.careful = True
            try:
                if len(chosen) == 1:
                    self._hopper.shun(hand, chosen[0], error)
            finally:
                # Its time may have run out just after its commit.
                self._hopper.drop(hand, self._disown_unsent(requests))
            raise
        hand.careful = False
        self._send_all(item, begun)
        dialled = {one.case_id for one in begun}
        reservation.begun(dialled)
        done = dialled | {one.case_id for one in refused if one.reason not in _LATER}
        self._hopper.drop(hand, done)
        return self._after(hand, refused)

    def _after(self, hand: Hand, refused: Sequence[Refusal]) -> float:
        """Act on the refusals for a project; seconds until it wants another turn."""
        wait = self._poll_seconds
        for refusal in refused:
            log.debug(
                "not dialled",
                extra={"action": "refused", "case_id": refusal.case_id, "reason": refusal.reason},
            )
            if refusal.reason in _NOT_NOW:
                self._hopper.drop(hand)
                hand.unreleased = True
                break
            if refusal.reason in _LATER:
                if refusal.retry_at is not None:
                    wait = min(max(0.0, refusal.retry_at.timestamp() - self._wall()), self._poll_seconds)
                    hand.retry = self._clock.monotonic() + wait
                break
            wait = SOON_SECONDS  # another case may take its place
        return wait

    def _send_all(self, item: Work, begun: Sequence[Begun]) -> None:
        if begun:
            self._served[item.project_id] = self._clock.monotonic()
        unsafe: UnsafeAction | None = None
        for one in begun:
            try:
                if self._send(one):
                    self._hopper.worked(item.project_id, ORIGINATE)
            except UnsafeAction as error:
                unsafe = error
        if unsafe is not None:
            # Usually something is wrong that all its calls carry; trying one at a time shows when it is mended.
            self._hopper.hand(item.project_id).careful = True
            self._hopper.failed(item.project_id, ORIGINATE, unsafe)

    def _send(self, begun: Begun) -> bool:
        """Send the Originate; False: it could not be sent. Raises UnsafeAction."""
        if not self._may_dial():
            # The lease ran out between the permission and here; another worker may own the Asterisk by now.
            self._session.give_up(begun, "the worker's lease passed before it was sent")
            return False
        if not self._session.originate(begun):
            return False
        log.info(
            "dialling",
            extra={
                "action": "originate",
                "attempt_id": begun.attempt_id,
                "case_id": begun.case_id,
                "project_id": begun.project_id,
                "number": masked(begun.phone_number),
            },
        )
        return True

    def _wall(self) -> float:
        """The database's time, as far as this worker's clock knows it."""
        return self._clock.time() + self._ahead
