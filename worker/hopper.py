"""The cases in hand: claimed and not dialled yet.

A claim takes milliseconds, unless somebody's transaction is in its way: rows or places in an index that it holds, or a
hundred thousand rows that it has not committed yet. That must not hold up the other projects. So each claim runs in a
greenlet of its own; a turn that has waited a moment for it goes on to the next project, and the answer wakes another
turn. The server gives a claim up after CLAIM_SECONDS; then dialer_warnings has it, and the project's next claims come
at growing intervals, until somebody says that its cases have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import gevent

from worker.clock import Clock
from worker.db import Database, procedures
from worker.errors import StatementTimedOut
from worker.model import Claim, Ownership, Work

log = logging.getLogger(__name__)

CLAIM_SECONDS = 2.0
"""The server gives up a claim that takes longer; it takes one to twenty milliseconds as a rule."""
PATIENCE_SECONDS = 0.1
"""How long a turn waits for the answer to a claim, by the machine's time."""
FIRST_SLOW_SECONDS = 1.0
SLOW_SECONDS = 30.0
"""From a claim that was given up to the next. Doubles from the first to the second."""
EMPTY_SECONDS = 0.02
EMPTY_MOST_SECONDS = 1.0
"""From a claim that came back empty although a case was due, to the next: its number is in a call, or somebody's
transaction holds it. Doubles from the first to the second."""


@dataclass
class Hand:
    """Cases of a project claimed and not dialled, in dial order."""

    cases: list[Claim] = field(default_factory=list)
    retry: float = 0.0
    """Not to be begun before this instant of monotonic(): lines or calls per second are used up."""
    claims_from: float = 0.0
    """Not to be claimed before this instant of monotonic()."""
    empty: int = 0
    """Claims in a row that came back empty although a case was due."""
    slow: int = 0
    """Claims in a row that were given up."""
    claim: gevent.Greenlet[..., None] | None = None
    """The claim that is under way."""
    error: Exception | None = None
    """What the last claim ran into, until it is told."""


class Hopper:
    """The hands of one Asterisk's projects."""

    def __init__(self, owner: Ownership, database: Database, clock: Clock, wake: Callable[[], object]) -> None:
        """`wake` asks for another turn."""
        self._owner = owner
        self._database = database
        self._clock = clock
        self._wake = wake
        self._hands: dict[str, Hand] = {}

    def hand(self, project_id: str) -> Hand:
        """The cases in hand of a project; an empty hand, if it is new."""
        return self._hands.setdefault(project_id, Hand())

    def cases(self) -> dict[str, list[Claim]]:
        """What is in hand, by project, in dial order."""
        return {project: hand.cases for project, hand in self._hands.items()}

    def in_use(self) -> bool:
        """May anything have been claimed since all was given back?"""
        return bool(self._hands)

    def rests(self, project_id: str) -> float | None:
        """Seconds for which a project can get no case, and has none in hand; None: it can be dialled.

        inf: its claim is under way, and `wake` will be called.
        """
        hand = self.hand(project_id)
        if hand.claim is not None:
            return inf  # it holds the project's row, and begin would wait for it
        left = hand.claims_from - self._clock.monotonic()
        return left if left > 0 and not hand.cases and hand.error is None else None

    def fill(self, item: Work, count: int) -> float | None:
        """Have up to `count` more cases claimed; seconds until that makes sense again, None: when there is a reason.

        They are in the hand when this returns, unless the claim takes long: then the project rests meanwhile.
        Raises what an earlier claim or this one ran into (DatabaseUnavailable).
        """
        hand = self.hand(item.project_id)
        self._tell(hand)
        left = hand.claims_from - self._clock.monotonic()
        if left <= 0:
            claim = gevent.spawn(self._claim, hand, item, count)
            hand.claim = claim
            claim.join(PATIENCE_SECONDS)
            if not claim.ready():
                claim.link(lambda _: self._wake())
                return 0.0  # what it was granted is for the others now
            self._tell(hand)
            left = hand.claims_from - self._clock.monotonic()
        return left if left > 0 else None

    def changed(self, project_id: str) -> None:
        """Somebody says that cases of a project (of any: '') have changed: what kept claims back may be over."""
        for project, hand in self._hands.items():
            if project_id in ("", project):
                hand.empty = 0
                # Not at once after one that was given up: who writes row by row says so with each of them.
                soon = self._clock.monotonic() + FIRST_SLOW_SECONDS if hand.slow else 0.0
                hand.claims_from = min(hand.claims_from, soon)

    def release(self, project_id: str) -> None:
        """Give back what is in hand of a project. Raises DatabaseUnavailable."""
        self.hand(project_id).cases.clear()
        procedures.release(self._database, self._owner, project_id)

    def release_others(self, projects: set[str]) -> None:
        """Give back what is in hand of projects that are not among these. Raises DatabaseUnavailable."""
        for project, hand in list(self._hands.items()):
            if project not in projects and hand.claim is None:
                del self._hands[project]
                if hand.cases:
                    procedures.release(self._database, self._owner, project)

    def release_all(self) -> None:
        """Give back all that is in hand, and what claims under way bring. Raises DatabaseUnavailable."""
        gevent.joinall([hand.claim for hand in self._hands.values() if hand.claim is not None])
        self._hands.clear()
        procedures.release(self._database, self._owner)

    def _claim(self, hand: Hand, item: Work, count: int) -> None:
        try:
            self._ask(hand, item, count)
        except Exception as error:
            hand.error = error  # the next turn tells it
        finally:
            hand.claim = None

    def _ask(self, hand: Hand, item: Work, count: int) -> None:
        at = procedures.instant(self._clock)

        def claim() -> list[Claim]:
            return procedures.claim(
                self._database, self._owner, item.project_id, count, at, timeout_seconds=CLAIM_SECONDS
            )

        try:
            # The first one that comes back empty has made it hungry: one more look, for a case that was inserted
            # before that was visible.
            claimed = claim() or (claim() if item.state == "running" else [])
        except StatementTimedOut as error:
            self._gave_up(hand, item, error)
            return
        hand.cases += claimed
        if hand.slow:
            self._report(item.project_id, None)
        hand.slow = 0
        if claimed or item.until_at is None or item.until_at.timestamp() > self._clock.time():
            hand.empty = 0
        else:
            delay = min(EMPTY_SECONDS * 2.0 ** min(hand.empty, 30), EMPTY_MOST_SECONDS)
            hand.claims_from = self._clock.monotonic() + delay
            hand.empty += 1

    def _gave_up(self, hand: Hand, item: Work, error: StatementTimedOut) -> None:
        delay = min(FIRST_SLOW_SECONDS * 2.0 ** min(hand.slow, 30), SLOW_SECONDS)
        hand.claims_from = self._clock.monotonic() + delay
        hand.slow += 1
        log.warning(
            "a claim took too long",
            extra={"action": "claim_slow", "project_id": item.project_id, "retry_seconds": delay, "why": str(error)},
        )
        # Its time may have run out just after its commit, so that cases are claimed that nobody knows of.
        self.release(item.project_id)
        self._report(item.project_id, f"a claim, limited to {error.seconds:g} s, was given up: {error.reason}")

    def _report(self, project_id: str, trouble: str | None) -> None:
        procedures.trouble_report(
            self._database, self._owner, "project", project_id, "claim", trouble, procedures.instant(self._clock)
        )

    @staticmethod
    def _tell(hand: Hand) -> None:
        error, hand.error = hand.error, None
        if error is not None:
            raise error
