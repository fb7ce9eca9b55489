"""Which cases are dialled now: ask the database, ask the pacing, begin, originate.

One turn per call; what wakes it (a notification, a freed agent, a line, a time) only means "look". Every turn
asks anew, so nothing that was missed stays missed for longer than one poll.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from math import inf

from worker.ami.client import AmiRefused
from worker.clock import Clock
from worker.db import Database, procedures
from worker.errors import DatabaseUnavailable, DialerError
from worker.hopper import Hand, Hopper
from worker.log import masked
from worker.model import Begun, Work
from worker.pacer import Pacer
from worker.session import DEFAULT_EXTEN, Session

log = logging.getLogger(__name__)

TRUST_SECONDS = 30.0
"""How long a queue, a context or an extension that was found is taken to be there."""
SOON_SECONDS = 0.02
"""From one turn to the next at least: what comes in bursts is answered once."""
MOST_AT_ONCE = 100
"""Attempts begun in one transaction at the most."""

# Refusals that hold for the whole project or Asterisk: what is in hand for it is given back.
_NOT_NOW = {"not_owner", "project_stopped", "project_failing", "no_trunk", "trunk_failing"}
_LATER = {"no_line", "pacing"}


class Dialer:
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
        self._database = database
        self._clock = clock
        self._may_dial = may_dial
        self._poll_seconds = poll_seconds
        self._pacer = Pacer(session, database, clock)
        self._hopper = Hopper(session.owner, database, clock, session.wake.set)
        self._found: dict[tuple[str, ...], float] = {}
        self._served: dict[str, float] = {}
        """When a project was last dialled, by the clock's monotonic()."""
        self._doubtful = True
        """Something may be in hand that this object does not know of."""

    def turn(self) -> float:
        """Dial what may be dialled now; seconds until the next turn, if nothing wakes it before.

        Raises DatabaseUnavailable; the next turn first clears up what may have been left behind.
        """
        session = self._session
        if not session.ready or not self._may_dial():
            self._doubtful = self._doubtful or self._hopper.in_use()
            self._pacer.gap()
            return self._poll_seconds
        try:
            if self._doubtful:
                self._clear_up()
            return self._dial()
        except DatabaseUnavailable:
            self._doubtful = True
            raise

    def close(self) -> None:
        """Give back all that is claimed and not dialled, keep what was learned. Raises DatabaseUnavailable."""
        self.give_back()
        self._pacer.save(all_of_it=True)

    def give_back(self) -> None:
        """Give back all that is claimed and not dialled."""
        self._hopper.release_all()

    def changed(self, project_id: str) -> None:
        """The database says that cases of a project (or of any: '') have changed."""
        self._hopper.changed(project_id)

    def _clear_up(self) -> None:
        """After a lost answer of the database: claims nobody remembers go back, and an attempt that was begun
        without our knowing was never sent, since only we could have."""
        self.give_back()
        now = procedures.instant(self._clock)
        tracker = self._session.tracker
        for attempt in procedures.open_attempts(self._database, self._session.name, now):
            if attempt.epoch == self._session.owner.epoch and not tracker.knows(attempt.channel_id):
                if self._session.ledger.holds(attempt.attempt_id):
                    continue
                call = tracker.adopt(attempt)
                tracker.unsent(call, "begun, but the database's answer was lost; never sent")
        self._session.ledger.flush()
        self._doubtful = False

    def _dial(self) -> float:
        again, self._session.look_again = self._session.look_again, False
        if again:
            self._found.clear()
        items = [item for item in procedures.work(self._database, self._session.name) if self._fit(item, again)]
        self._hopper.release_others({item.project_id for item in items})
        room = {item.project_id: self._room(item) for item in items}
        self._pacer.look(items, room, self._hopper.cases())
        wait = self._poll_seconds
        # By priority, then who has waited longest. What a project was granted and has no cases for goes to the
        # others, so those that went away empty-handed are looked at again.
        left = []
        for item in sorted(items, key=lambda item: (-item.priority, self._served.get(item.project_id, -inf))):
            rest = self._hopper.rests(item.project_id)
            if rest is None:
                left.append(item)
            else:
                wait = min(wait, rest)
        while left:
            quotas = self._pacer.quotas(left, room)
            asked = [item for item in left if quotas[item.project_id] > 0]
            for item in asked or left:
                wait = min(wait, self._dial_project(item, quotas[item.project_id]))
            left = [item for item in left if quotas[item.project_id] <= 0] if asked else []
        self._pacer.save()
        due = (wait, self._session.agents.next_free_in(), self._pacer.wait())
        return max(SOON_SECONDS, min(one for one in due if one is not None))

    @staticmethod
    def _room(item: Work) -> int:
        """Lines left to a project; begin has the last word, and calls per second are its business."""
        if item.trunk_lines is None:
            return 0
        room = item.trunk_lines - item.trunk_live
        if item.lines:
            room = min(room, item.lines - item.live)
        if item.trunk_failing:
            room = min(room, 1)
        return max(0, min(room, MOST_AT_ONCE))

    # --- one project -------------------------------------------------------------------------------------

    def _dial_project(self, item: Work, quota: int) -> float:
        """Claim what is missing, begin and originate; seconds until this project wants another turn."""
        now = self._clock.monotonic()
        hand = self._hopper.hand(item.project_id)
        if hand.retry > now:
            return hand.retry - now
        if item.trunk_failing and item.trunk_retry_at is not None:
            left = item.trunk_retry_at.timestamp() - self._wall()
            if left > 0:
                if hand.cases:
                    self._hopper.release(item.project_id)  # the next try is another case's
                return left
        if quota <= 0:
            return self._poll_seconds
        wait = self._poll_seconds
        before = len(hand.cases)
        if quota > before:
            again = self._hopper.fill(item, quota - before)
            if again is not None:
                wait = min(wait, again)
            if hand.claim is not None:
                return wait
            if len(hand.cases) == before and item.until_at is not None and again is None:
                wait = max(SOON_SECONDS, min(wait, item.until_at.timestamp() - self._wall()))
        if hand.cases:
            wait = min(wait, self._begin(item, hand, quota))
        return wait

    def _begin(self, item: Work, hand: Hand, quota: int) -> float:
        # A number that was abandoned before is called only if an agent is certain: there is one for each call that is
        # in flight then, so no more than those are begun with it. (Without one, begin puts the case off.)
        chosen = hand.cases[:quota]
        certain = self._pacer.guaranteed(item.project_id, quota)
        if certain > 0 and any(claim.guarded for claim in chosen[:certain]):
            chosen = chosen[:certain]
        guaranteed = {claim.case_id for claim in chosen[:certain] if claim.guarded}
        requests = [(claim.case_id, secrets.token_hex(16), secrets.token_hex(16)) for claim in chosen]
        begun, refused = procedures.attempt_begin(
            self._database,
            self._session.owner,
            item,
            requests,
            procedures.instant(self._clock),
            guaranteed=guaranteed,
        )
        if begun:
            self._served[item.project_id] = self._clock.monotonic()
        for one in begun:
            self._send(one)
        dialled = {one.case_id for one in begun}
        self._pacer.begun(item.project_id, [claim for claim in chosen if claim.case_id in dialled], guaranteed)
        done = {one.case_id for one in begun}
        done |= {one.case_id for one in refused if one.reason not in _LATER}
        hand.cases = [claim for claim in hand.cases if claim.case_id not in done]
        wait = self._poll_seconds
        for refusal in refused:
            log.debug(
                "not dialled",
                extra={"action": "refused", "case_id": refusal.case_id, "reason": refusal.reason},
            )
            if refusal.reason in _NOT_NOW:
                self._hopper.release(item.project_id)
                break
            if refusal.reason in _LATER:
                if refusal.retry_at is not None:
                    wait = max(0.0, refusal.retry_at.timestamp() - self._wall())
                    hand.retry = self._clock.monotonic() + wait
                break
            wait = SOON_SECONDS  # another case may have its place
        return wait

    def _send(self, begun: Begun) -> None:
        if not self._may_dial():
            # The lease passed between the permission and here; another worker may own the Asterisk by now.
            self._session.give_up(begun, "the worker's lease passed before it was sent")
            return
        self._session.originate(begun)
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

    def _wall(self) -> float:
        """The database's time, as far as this worker's clock knows it."""
        return self._clock.time()

    # --- what the project needs on this Asterisk ---------------------------------------------------------

    def _fit(self, item: Work, again: bool) -> bool:
        """Can this project be dialled here? What stands in the way is told to the database.

        again: what failed is looked at before its time.
        """
        session = self._session
        reason = session.tracker.wrong_queue.pop(item.project_id, None)
        reason = session.refusals.pop(item.project_id, reason)
        if reason is None:
            if item.unfit and item.unfit_until is not None:
                if item.unfit_until.timestamp() > self._wall() and not again:
                    return False
                self._found.clear()
            reason = self._obstacle(item)
        else:
            self._found.clear()
        if reason is not None or item.unfit:
            procedures.project_report(
                self._database, session.owner, item.project_id, reason, procedures.instant(self._clock)
            )
            log.info(
                "project can be dialled again" if reason is None else "project cannot be dialled",
                extra={"action": "project_fit", "project_id": item.project_id, "why": reason},
            )
        return reason is None

    def _obstacle(self, item: Work) -> str | None:
        if item.trunk_lines is None:
            return (
                f"trunk {item.trunk!r} has no row in dialer_trunks for Asterisk {self._session.name!r}:"
                " insert one, or change dialer_params.trunk"
            )
        if item.serves_agents and item.queue not in self._session.agents.queues and not self._has_queue(item.queue):
            return (
                f"Asterisk {self._session.name!r} has no queue {item.queue!r}: add it to queues.conf, or write"
                " its name into dialer_params.queue"
            )
        exten = item.exten or DEFAULT_EXTEN
        if not self._has_extension(item.context, exten):
            return (
                f"Asterisk {self._session.name!r} has no extension {exten!r} in context {item.context!r}: add it"
                " to extensions.conf, or correct dialer_params.exten and context"
            )
        return None

    def _has_queue(self, queue: str) -> bool:
        try:
            items = self._session.client.ask_list([("Action", "QueueStatus"), ("Queue", queue)])
        except DialerError:
            return True  # the link tells soon enough
        if not items:
            return False
        self._session.agents.queues.add(queue)
        return True

    def _has_extension(self, context: str, exten: str) -> bool:
        key = (context, exten)
        now = self._clock.monotonic()
        if self._found.get(key, -1.0) > now:
            return True
        try:
            items = self._session.client.ask_list(
                [("Action", "ShowDialPlan"), ("Context", context), ("Extension", exten)]
            )
        except AmiRefused as error:
            if "permission" in error.text.lower():
                items = None  # the right `reporting` is missing: Originate will tell
            else:
                return False
        except DialerError:
            return True  # the link tells soon enough
        if items is not None and not items:
            return False
        self._found[key] = now + TRUST_SECONDS
        return True
